"""The whole fault matrix over real HTTP: every fault of every operation of every service."""

from __future__ import annotations

import pytest

from tests.support.faults.matrix import Cell, cells
from tests.support.faults.pool import EnvironmentPool, run_cell

POOL = EnvironmentPool()


@pytest.mark.parametrize("cell", list(cells()), ids=str)
def test_a_fault_is_reported_and_the_program_recovers(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics report the fault, other values do not change, the program recovers, and the totals are correct."""
    run_cell(cell, monkeypatch, POOL)
