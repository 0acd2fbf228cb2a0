"""A demo with a Prometheus that scrapes it, shared by the whole suite, and a browser that renders dashboards."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.suites.grafana.panel_queries import View
from tests.suites.grafana.rendering import bundle, launch_browser, save_screenshot
from tests.support.alert_rules import RULE_FILES
from tests.support.harness import Program, eventually
from tests.support.prometheus_server import Prometheus, prometheus, scrape_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

SCRAPE_INTERVAL = 2.0
DEMO_EVENTS = (
    'sum(increase(qbusiness_sync_jobs_completed_total{status="SUCCEEDED", data_source="servicenow"}[2m])) > 1',
    "sum(increase(qbusiness_sync_job_failures_total[2m])) > 1",
    'ALERTS{alertname="QBusinessSyncFailingRepeatedly"}',
)
"""Queries for events of the demo's first two minutes that the dashboards show."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that saves screenshots."""
    parser.addoption("--screenshots", type=float, default=0, help="scrape for this many minutes, update docs/images")


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Yield a Prometheus with the shipped rules that has scraped the demo until its events occurred."""
    folder = tmp_path_factory.mktemp("prometheus")
    with Program(["demo"]) as program:
        program.until_ready()
        config = scrape_config("{}:{}".format(*program.address), interval=f"{SCRAPE_INTERVAL:.0f}s")
        config["global"]["evaluation_interval"] = config["global"]["scrape_interval"]
        config["rule_files"] = [str(file) for file in RULE_FILES]
        with prometheus(folder, config) as server:
            began = time.monotonic()
            for query in DEMO_EVENTS:
                eventually(lambda query=query: server.get("query", query=query)["result"], 180)  # type: ignore[misc] # mypy cannot infer lambdas with defaults
            minutes = request.config.getoption("--screenshots")
            time.sleep(max(0.0, 60 * minutes - (time.monotonic() - began)))
            yield server


@pytest.fixture
def make_view(request: pytest.FixtureRequest) -> Callable[..., View]:
    """Return a function that returns a view of the demo's last minutes with values of variables."""
    minutes = max(2.0, request.config.getoption("--screenshots"))

    def view(**variables: str) -> View:
        values = {f"${name}": value for name, value in variables.items()}
        return View(time.time() - 60 * minutes, time.time(), SCRAPE_INTERVAL, values)

    return view


@pytest.fixture(scope="session")
def page_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with the page that renders dashboards."""
    folder = tmp_path_factory.mktemp("page")
    bundle(folder)
    return folder


@pytest.fixture
def screenshot(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Return a function that saves a screenshot of a dashboard if --screenshots is set."""

    def save(page: Page, file: str) -> None:
        if request.config.getoption("--screenshots"):
            save_screenshot(page, file)

    return save


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Yield a browser."""
    with launch_browser() as browser:
        yield browser
