"""A program that watches 2,500 data sources, asked by many at once and by a great many that take their time."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.domain.units import HOUR
from tests.suites.soak.organisation import Organisation, Plan, make_fleet
from tests.suites.soak.resource_usage import MEGABYTE, descriptors, most_resident, resident
from tests.suites.soak.scrapers import OPENMETRICS, PATIENCE, Counters, Scraper, fetch, what_is_missing
from tests.suites.soak.slow import SlowClients
from tests.suites.soak.state import fill_state
from tests.support.harness import Program, eventually, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.xdist_group("load")  # one program for all of them
SOURCES = 2500
SCRAPERS, SECONDS = 50, 15.0
SLOW = 1000
CEILING = 5.0  # requests a second, the default
POOL = 8  # connections to AWS that are kept, as many as were ever needed at once
MORE_RESIDENT = 100 * MEGABYTE  # three pages as text: what either may leave behind, and add while it lasts twice that


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """Give the program, which has watched for a month and polls at its full rate."""
    folder = tmp_path_factory.mktemp("load")
    now = time.time()
    plan = Plan(SOURCES, now, now, now + HOUR)
    fill_state(folder / "state.db", make_fleet(plan), "load", now)
    organisation = Organisation(plan, None)
    target = {"name": "load", "region": "us-east-1", "endpoint_url": organisation.url}
    starting = serve(folder, {"targets": [target], "state": {"path": str(folder / "state.db")}})
    starting.start_timeout = 2 * PATIENCE  # all of it is rendered first
    try:
        with starting as program:
            eventually(lambda: own(program, "polls_total") > CEILING, PATIENCE)
            yield program
    finally:
        organisation.stop()


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Show figures as they are measured."""

    def told(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}")

    return told


def own(program: Program, name: str) -> float:
    """Give the sum of one of the exporter's own counters."""
    pattern = rb"^qbusiness_exporter_%b(?:\{.*\})? (\S+)$" % name.encode()
    found: list[bytes] = re.findall(pattern, fetch(program.address), re.MULTILINE)
    return sum(map(float, found))


def test_many_scrape_at_once(program: Program, tell: Callable[[str], None]) -> None:
    """Everyone gets whole pages on which no counter falls, polls go on, and memory is given back."""
    before, over, counters = resident(program.process.pid), threading.Event(), Counters()
    requests, began = own(program, "api_requests_total"), time.monotonic()
    scrapers = [Scraper(program.address, SOURCES, counters, over, number) for number in range(SCRAPERS)]
    over.wait(SECONDS)
    sent, took = own(program, "api_requests_total") - requests, time.monotonic() - began
    over.set()
    for scraper in scrapers:
        scraper.thread.join(2 * PATIENCE)
    after, most = resident(program.process.pid), most_resident(program.process.pid)
    tell(
        f"{sum(scraper.pages for scraper in scrapers)} pages in {time.monotonic() - began:.0f} s; meanwhile"
        f" {sent / took:.1f} requests a second to AWS; {before / MEGABYTE:.0f} MB resident before,"
        f" {most / MEGABYTE:.0f} MB at most, {after / MEGABYTE:.0f} MB after"
    )
    assert not [scraper.wrong for scraper in scrapers if scraper.wrong or scraper.thread.is_alive()]
    # On a machine with much else to do they may be slower than the budget allows, but never faster, nor starved.
    assert CEILING / 5 <= sent / took <= CEILING + 1
    assert own(program, "poll_failures_total") == 0
    assert after < before + MORE_RESIDENT
    assert most < before + 2 * MORE_RESIDENT
    assert sum(1 for _ in text_string_to_metric_families(fetch(program.address, OPENMETRICS).decode())) > 50


def test_slow_clients(program: Program, tell: Callable[[str], None]) -> None:
    """A thousand of them keep no scrape from its whole page, are dropped in time, and leave nothing behind."""
    process = program.process.pid
    open_before, before = descriptors(process), resident(process)
    began, latencies = time.monotonic(), []
    with SlowClients(program.address, SLOW) as clients:
        while clients.waiting() and time.monotonic() - began < 2 * PATIENCE:
            asked = time.monotonic()
            page = fetch(program.address)
            latencies.append(time.monotonic() - asked)
            assert what_is_missing(page, SOURCES) is None
        took = time.monotonic() - began
        assert clients.waiting() == 0
    eventually(lambda: descriptors(process) <= open_before + POOL)
    after, most = resident(process), most_resident(process)
    tell(
        f"{SLOW} slow clients were gone after {took:.0f} s; {len(latencies)} scrapes meanwhile took"
        f" {max(latencies):.1f} s at most; {before / MEGABYTE:.0f} MB resident before, {most / MEGABYTE:.0f} MB at"
        f" most, {after / MEGABYTE:.0f} MB after; {open_before} descriptors before, {descriptors(process)} after"
    )
    assert own(program, "poll_failures_total") == 0
    assert after < before + MORE_RESIDENT
    assert most < before + 2 * MORE_RESIDENT
