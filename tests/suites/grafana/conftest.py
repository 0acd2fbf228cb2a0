"""The demo, watched by a Prometheus with the rules, once for the whole suite; and a browser to draw in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.suites.grafana.asking import View
from tests.suites.grafana.drawing import browser, bundle, picture
from tests.support.alert_rules import RULE_FILES
from tests.support.harness import Program, eventually
from tests.support.prometheus_server import Prometheus, prometheus, scraping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

SCRAPED_EVERY = 2.0
HAPPENED = (
    'sum(increase(qbusiness_sync_jobs_completed_total{status="SUCCEEDED", data_source="servicenow"}[2m])) > 1',
    "sum(increase(qbusiness_sync_job_failures_total[2m])) > 1",
    'ALERTS{alertname="QBusinessSyncFailingRepeatedly"}',
)
"""What the demo does within two minutes, and what the dashboards are about."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch that keeps the pictures."""
    parser.addoption("--pictures", type=float, default=0, help="watch for so many minutes, then rewrite docs/images")


@pytest.fixture(scope="session")
def watched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Give a Prometheus that has scraped the demo until there is something to see, with the rules as shipped."""
    folder = tmp_path_factory.mktemp("prometheus")
    with Program(["demo"]) as program:
        program.until_ready()
        config = scraping("{}:{}".format(*program.address), interval=f"{SCRAPED_EVERY:.0f}s")
        config["global"]["evaluation_interval"] = config["global"]["scrape_interval"]
        config["rule_files"] = [str(file) for file in RULE_FILES]
        with prometheus(folder, config) as server:
            began = time.monotonic()
            for query in HAPPENED:
                eventually(lambda query=query: server.get("query", query=query)["result"], 180)  # type: ignore[misc] # mypy cannot infer lambdas with defaults
            minutes = request.config.getoption("--pictures")
            time.sleep(max(0.0, 60 * minutes - (time.monotonic() - began)))
            yield server


@pytest.fixture
def look(request: pytest.FixtureRequest) -> Callable[..., View]:
    """Look at the demo's last minutes, with these values of variables."""
    minutes = max(2.0, request.config.getoption("--pictures"))

    def view(**variables: str) -> View:
        values = {f"${name}": value for name, value in variables.items()}
        return View(time.time() - 60 * minutes, time.time(), SCRAPED_EVERY, values)

    return view


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder with the page that draws."""
    folder = tmp_path_factory.mktemp("page")
    bundle(folder)
    return folder


@pytest.fixture
def keep(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Keep the picture of a dashboard, if that is asked for."""

    def kept(page: Page, file: str) -> None:
        if request.config.getoption("--pictures"):
            picture(page, file)

    return kept


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Give the browser."""
    with browser() as started:
        yield started
