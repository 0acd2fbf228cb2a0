"""Settings and fixtures of every test."""

from __future__ import annotations

import logging
import signal
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING
from unittest import mock

import pytest
import structlog
from botocore.loaders import JSONFileLoader
from hypothesis import HealthCheck, settings

from exporter.store import MEMORY, Store
from tests.support.builders import FakeClock
from tests.support.postgresql import PostgreSqlServer

if TYPE_CHECKING:
    from collections.abc import Iterator

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")

# A shell starts background jobs with SIGINT ignored, and nohup ignores SIGHUP. Child processes inherit that, and tests
# send these signals to programs.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that the test moves."""
    return FakeClock()


@pytest.fixture(scope="session", autouse=True)
def api_descriptions() -> Iterator[None]:
    """Read each description of an API once per worker; the client of each new session would read it again."""
    read = cache(JSONFileLoader().load_file)
    with mock.patch.object(JSONFileLoader, "load_file", lambda _, path: read(path)):
        yield


@pytest.fixture
def store() -> Iterator[Store]:
    """Yield a store in memory without state."""
    with closing(Store(MEMORY, lambda: None)) as store:
        yield store


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSqlServer]:
    """Run one PostgreSQL server for all tests of the worker."""
    with PostgreSqlServer() as server:
        yield server


@pytest.fixture
def database(postgresql: PostgreSqlServer) -> str:
    """Return the URL of an empty database."""
    return postgresql.create_database()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of `make generate`."""
    parser.addoption("--rewrite-golden", dest="rewrite_golden", action="store_true", help="rewrite the golden files")


def pytest_runtest_teardown() -> None:
    """Reset logging after each test: the stream that the test logged to is closed."""
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    handlers = [handler for handler in logging.root.handlers if type(handler) is logging.StreamHandler]
    for handler in handlers:
        logging.root.removeHandler(handler)
