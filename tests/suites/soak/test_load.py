"""An exporter that watches 2,500 data sources, with many concurrent scrapers and with a thousand slow clients."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.domain.units import HOUR
from tests.suites.soak.account import AccountProcess
from tests.suites.soak.fleet import FleetPlan, make_fleet
from tests.suites.soak.resource_usage import MEGABYTE, descriptors, max_resident, resident
from tests.suites.soak.scrapers import OPENMETRICS, TIMEOUT, CounterParser, Scraper, fetch, page_problem
from tests.suites.soak.slow_clients import SlowClients
from tests.suites.soak.state import write_state
from tests.support.harness import Program, eventually, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.xdist_group("load")  # all tests share one program
SOURCES = 2500
SCRAPERS, SECONDS = 50, 15.0
SLOW_CLIENTS = 1000
MAX_RATE = 5.0  # requests per second, the default
MAX_CONNECTIONS = 8  # to AWS, which the exporter keeps open
MAX_INCREASE = 100 * MEGABYTE  # three pages in the text format, of resident memory after a test; twice that during it


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """Yield an exporter that has the state of a month and polls at its full rate."""
    folder = tmp_path_factory.mktemp("load")
    now = time.time()
    plan = FleetPlan(SOURCES, now, now, now + HOUR)
    write_state(folder / "state.db", make_fleet(plan), "load", now)
    account = AccountProcess(plan, None)
    target = {"name": "load", "region": "us-east-1", "endpoint_url": account.url}
    starting = serve(folder, {"targets": [target], "state": {"path": str(folder / "state.db")}})
    starting.start_timeout = 2 * TIMEOUT  # it renders all data sources before it listens
    try:
        with starting as program:
            eventually(lambda: own_total(program, "polls_total") > MAX_RATE, TIMEOUT)
            yield program
    finally:
        account.stop()


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Return a function that prints figures when they are measured."""

    def print_uncaptured(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}")

    return print_uncaptured


def own_total(program: Program, name: str) -> float:
    """Return the sum of a counter that the exporter has about itself."""
    pattern = rb"^qbusiness_exporter_%b(?:\{.*\})? (\S+)$" % name.encode()
    found: list[bytes] = re.findall(pattern, fetch(program.address), re.MULTILINE)
    return sum(map(float, found))


def test_concurrent_scrapes(program: Program, report: Callable[[str], None]) -> None:
    """Every scraper gets complete pages, no counter decreases, polls continue, and memory is released."""
    before, stop, counters = resident(program.process.pid), threading.Event(), CounterParser()
    requests, began = own_total(program, "api_requests_total"), time.monotonic()
    scrapers = [Scraper(program.address, SOURCES, counters, stop, number) for number in range(SCRAPERS)]
    stop.wait(SECONDS)
    sent, duration = own_total(program, "api_requests_total") - requests, time.monotonic() - began
    stop.set()
    for scraper in scrapers:
        scraper.thread.join(2 * TIMEOUT)
    after, maximum = resident(program.process.pid), max_resident(program.process.pid)
    report(
        f"{sum(scraper.pages for scraper in scrapers)} pages in {time.monotonic() - began:.0f} s; meanwhile"
        f" {sent / duration:.1f} requests per second to AWS; resident memory {before / MEGABYTE:.0f} MB before,"
        f" {maximum / MEGABYTE:.0f} MB at most, {after / MEGABYTE:.0f} MB after"
    )
    assert not [scraper.errors for scraper in scrapers if scraper.errors or scraper.thread.is_alive()]
    # On a busy machine the exporter may send fewer requests than the limit, but polls must not starve.
    assert MAX_RATE / 5 <= sent / duration <= MAX_RATE + 1
    assert own_total(program, "poll_failures_total") == 0
    assert after < before + MAX_INCREASE
    assert maximum < before + 2 * MAX_INCREASE
    assert sum(1 for _ in text_string_to_metric_families(fetch(program.address, OPENMETRICS).decode())) > 50


def test_slow_clients(program: Program, report: Callable[[str], None]) -> None:
    """With a thousand slow clients, scrapes get complete pages; the server drops the clients and frees their memory."""
    process = program.process.pid
    open_before, before = descriptors(process), resident(process)
    began, latencies = time.monotonic(), []
    with SlowClients(program.address, SLOW_CLIENTS) as clients:
        while clients.connected() and time.monotonic() - began < 2 * TIMEOUT:
            requested = time.monotonic()
            page = fetch(program.address)
            latencies.append(time.monotonic() - requested)
            assert page_problem(page, SOURCES) is None
        duration = time.monotonic() - began
        assert clients.connected() == 0
    eventually(lambda: descriptors(process) <= open_before + MAX_CONNECTIONS)
    after, maximum = resident(process), max_resident(process)
    report(
        f"{SLOW_CLIENTS} slow clients dropped within {duration:.0f} s; {len(latencies)} scrapes meanwhile, the slowest"
        f" in {max(latencies):.1f} s; resident memory {before / MEGABYTE:.0f} MB before,"
        f" {maximum / MEGABYTE:.0f} MB at most, {after / MEGABYTE:.0f} MB after; {open_before} descriptors before,"
        f" {descriptors(process)} after"
    )
    assert own_total(program, "poll_failures_total") == 0
    assert after < before + MAX_INCREASE
    assert maximum < before + 2 * MAX_INCREASE
