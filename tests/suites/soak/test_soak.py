"""The exporter for hours of virtual time: its resource usage levels off, and the soak finds planted leaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.suites.soak import leaks
from tests.suites.soak.program import first_pass_hours
from tests.suites.soak.resource_usage import HEADER
from tests.suites.soak.thresholds import find_growth

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.suites.soak.resource_usage import ResourceUsage

SOURCES, HOURS = 40, 14.0
# Each leak and the resource that it increases. The leaks of one run increase different resources.
LEAKS = (
    {
        leaks.leaks_an_object_per_poll: "blocks",
        leaks.leaks_file_descriptors: "descriptors",
        leaks.leaks_a_thread_per_discovery_run: "threads",
        leaks.keeps_evicted_jobs_on_disk: "state",
    },
    {
        leaks.keeps_invalid_queue_entries: "blocks",
        leaks.leaks_a_kilobyte_per_scrape: "resident",
        leaks.never_checkpoints: "state",
    },
    {
        leaks.leaks_response_bodies: "resident",
        leaks.evicts_no_jobs: "state",
    },
)


def test_resource_usage_levels_off(request: pytest.FixtureRequest, soak: Callable[..., list[ResourceUsage]]) -> None:
    """Memory, descriptors, threads and the state file stop growing, and the totals count every job."""
    sources, hours = request.config.getoption("--sources"), request.config.getoption("--hours")
    samples = soak(sources, hours)
    growth = find_growth(samples, first_pass_hours(sources))
    assert not growth, "\n".join((str(growth), HEADER, *map(str, samples)))


def test_real_connections_leak_nothing(soak: Callable[..., list[ResourceUsage]]) -> None:
    """With boto3 over real HTTP, descriptors, threads and resident memory stop growing."""
    # Ten data sources end too few jobs for the limits of blocks and of the state file.
    growth = find_growth(soak(10, HOURS, "--over-http"), first_pass_hours(10))
    assert not growth.keys() & {"descriptors", "threads", "resident"}, growth


@pytest.mark.parametrize("planted", LEAKS, ids=lambda planted: "-".join(leak.__name__ for leak in planted))
def test_planted_leaks_are_found(
    planted: dict[Callable[[], None], str], soak: Callable[..., list[ResourceUsage]]
) -> None:
    """Each planted leak makes the usage of its resource exceed the limit."""
    samples = soak(SOURCES, HOURS, *(f"--leak={leak.__name__}" for leak in planted))
    assert find_growth(samples, first_pass_hours(SOURCES)).keys() >= set(planted.values())
