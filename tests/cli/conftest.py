"""A simulated organization for the commands that send requests once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.simulator.server import SimulatedEndpoint
from tests.support.oneshot import organization

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def service() -> Iterator[SimulatedEndpoint]:
    """Serve two applications with three indexes and 14 data sources."""
    with SimulatedEndpoint(organization()) as service:
        yield service
