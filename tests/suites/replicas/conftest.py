"""The option for more random runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for more seeds."""
    parser.addoption("--seeds", type=int, default=2, help="number of random sequences of faults")
    parser.addoption("--first-seed", type=int, default=1, help="seed of the first one")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests with a seed once for each seed."""
    if "seed" in metafunc.fixturenames:
        first: int = metafunc.config.getoption("--first-seed")
        metafunc.parametrize("seed", range(first, first + metafunc.config.getoption("--seeds")))
