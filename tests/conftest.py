"""What every test gets."""

from __future__ import annotations

import logging
import signal

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.support.builders import FakeClock

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")

# A shell has what runs in its background ignore SIGINT, and programs hand that on to those that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def clock() -> FakeClock:
    """Give a clock that the test moves."""
    return FakeClock()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch of `make generate`."""
    parser.addoption("--rewrite-golden", dest="rewrite_golden", action="store_true", help="rewrite the golden files")


def pytest_runtest_teardown() -> None:
    """Let no test's way of logging outlive it: the stream that it wrote to is closed by then."""
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    own = [handler for handler in logging.root.handlers if type(handler) is logging.StreamHandler]
    for handler in own:
        logging.root.removeHandler(handler)
