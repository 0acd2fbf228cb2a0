"""The option for more random runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


FIRST_SEED = 21  # it and the next one have a kill, a pause, a cut and a half-open connection that outlast a lease


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for more seeds."""
    parser.addoption("--seeds", type=int, default=2, help="number of random sequences of faults")
    parser.addoption("--first-seed", type=int, default=FIRST_SEED, help="seed of the first one")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests with a seed once for each seed."""
    if "seed" in metafunc.fixturenames:
        first: int = metafunc.config.getoption("--first-seed")
        metafunc.parametrize("seed", range(first, first + metafunc.config.getoption("--seeds")))
