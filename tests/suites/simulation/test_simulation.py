"""Hundreds of virtual weeks without a violated invariant, and planted defects that a few weeks find."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from exporter.providers.registry import DEFAULT_SERVICE, SERVICES
from simulation.runner import run_many
from simulation.services import traits_for
from simulation.world import run
from tests.suites.simulation.defects import (
    counting,
    credentials,
    exposition,
    logs,
    operations,
    polling,
)
from tests.suites.simulation.planting import find_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.domain.service import Service

    Defect = Callable[[pytest.MonkeyPatch], None]

GENERAL = (counting, polling, credentials, logs, exposition, operations)
FOLDER = "tests.suites.simulation.defects"


def defects_of(service: Service) -> tuple[Defect, ...]:
    """Return the defects of a service, and for the default service the general ones, which its weeks find."""
    general = GENERAL if service is DEFAULT_SERVICE else ()
    own = (import_module(f"{FOLDER}.{service.name}"),) if find_spec(f"{FOLDER}.{service.name}") else ()
    return tuple(defect for module in (*general, *own) for defect in module.DEFECTS)


DEFECTS = {name: defects_of(service) for name, service in SERVICES.items()}
PLANTED = [(service, defect.__name__) for service, defects in DEFECTS.items() for defect in defects]
SEEDS = range(1, 201)
FREQUENT_EVENTS = (
    "crash",
    "stop",
    "reload",
    "fault",
    "wrong data",
    "stale replica",
    "disk full",
    "credentials hang",
    "stderr",
    "reconfiguration",
    "crash loop",
    "absence",
)


def test_no_week_violates_an_invariant(capsys: pytest.CaptureFixture[str]) -> None:
    """A failed seed reports the last events, and the command that repeats it. The seeds have weeks of each service."""
    assert {traits_for(seed).service.name for seed in SEEDS} == set(SERVICES)
    report = run_many(SEEDS)
    with capsys.disabled():
        print(f"\n{report}")
    assert not report.failed, "\n\n".join(report.failed.values())
    assert report.hours > len(SEEDS) * 7 * 24
    # Weeks without faults would prove nothing.
    assert min(report.counts[kind] for kind in FREQUENT_EVENTS) > len(SEEDS) / 2


@pytest.mark.parametrize("defect", [defect for defects in DEFECTS.values() for defect in defects])
def test_a_defect_can_be_planted(defect: Defect) -> None:
    """The code that it replaces exists. Finding the defects takes longer, so CI omits that."""
    with pytest.MonkeyPatch.context() as patch:
        defect(patch)
        assert patch._setattr


@pytest.fixture(scope="module")
def finders() -> dict[str, dict[str, int | str]]:
    """Return the first seed that finds each defect in weeks of a service, or the error."""
    return {service: find_all(defects, partial(run, service=service)) for service, defects in DEFECTS.items()}


@pytest.mark.thorough
@pytest.mark.parametrize(("service", "defect"), PLANTED)
def test_an_invariant_finds_the_defect(service: str, defect: str, finders: dict[str, dict[str, int | str]]) -> None:
    """An invariant that cannot fail would be useless."""
    assert isinstance(finders[service][defect], int), finders[service][defect]
