"""The program for hours of virtual time: what it takes levels off, and every leak that is put in is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.suites.soak import leaks
from tests.suites.soak.program import first_look
from tests.suites.soak.thresholds import what_grows

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.suites.soak.resource_usage import Vitals

SOURCES, HOURS = 40, 14.0
# Each leak with what it makes grow; those of one run are told from each other by that.
LEAKS = (
    {
        leaks.keeps_something_of_each_poll: "blocks",
        leaks.leaves_a_file_open_now_and_then: "descriptors",
        leaks.leaves_a_thread_behind: "threads",
        leaks.deletes_nothing_on_the_disk: "state",
    },
    {
        leaks.lets_turns_pile_up: "blocks",
        leaks.keeps_something_of_each_scrape: "resident",
        leaks.folds_no_log_in: "state",
    },
    {
        leaks.keeps_what_it_was_answered: "resident",
        leaks.forgets_no_job: "state",
    },
)


def test_it_levels_off(request: pytest.FixtureRequest, soak: Callable[..., list[Vitals]]) -> None:
    """Memory, descriptors, threads and the state file, while jobs come and go; in the end all of them are counted."""
    sources, hours = request.config.getoption("--sources"), request.config.getoption("--hours")
    course = soak(sources, hours)
    assert not what_grows(course, first_look(sources))


def test_it_leaves_no_socket_open(soak: Callable[..., list[Vitals]]) -> None:
    """The same with boto3's own connections over real HTTP, but for the state, of which so few write little."""
    grows = what_grows(soak(10, HOURS, "--over-http"), first_look(10))
    assert not grows.keys() & {"descriptors", "threads", "resident"}, grows


@pytest.mark.parametrize("planted", LEAKS, ids=lambda planted: "-".join(leak.__name__ for leak in planted))
def test_leaks_are_found(planted: dict[Callable[[], None], str], soak: Callable[..., list[Vitals]]) -> None:
    """Each of those that are put in, by what it makes grow: a criterion that cannot fail would be none."""
    course = soak(SOURCES, HOURS, *(f"--leak={leak.__name__}" for leak in planted))
    assert what_grows(course, first_look(SOURCES)).keys() >= set(planted.values())
