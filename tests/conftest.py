"""What every test gets."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from builders import FakeClock

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")


@pytest.fixture
def clock() -> FakeClock:
    """Give a clock that the test moves."""
    return FakeClock()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch of `make golden`."""
    parser.addoption("--rewrite-golden", dest="rewrite_golden", action="store_true", help="rewrite the golden files")
