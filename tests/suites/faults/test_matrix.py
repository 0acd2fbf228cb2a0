"""The whole fault matrix over real HTTP: every fault, every operation, first page and later, one and all."""

from __future__ import annotations

import pytest

from tests.support.faults.matrix import Cell, cells
from tests.support.faults.runner import Stages, try_cell

STAGES = Stages()


@pytest.mark.parametrize("cell", list(cells()), ids=str)
def test_a_fault_is_said_and_survived(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a moment and an hour: what says so, what stays, when it recovers, and the totals are the truth."""
    try_cell(cell, monkeypatch, STAGES)
