"""A simulated organization for the commands that send requests once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.providers.registry import DEFAULT_SERVICE
from exporter.simulator.server import SimulatedEndpoint
from tests.support.oneshot import organization
from tests.support.provider_rig import CASES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.service_case import ServiceCase


@pytest.fixture
def case() -> ServiceCase:
    """Return the default service; a test with a parameter of this name has that instead."""
    return next(case for case in CASES if case.service is DEFAULT_SERVICE)


@pytest.fixture
def service(case: ServiceCase) -> Iterator[SimulatedEndpoint]:
    """Serve two applications with three indexes and 14 data sources."""
    with SimulatedEndpoint(organization(case), make_api=case.make_api) as service:
        yield service
