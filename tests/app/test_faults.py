"""A sample of the fault matrix, and that it is whole; `make test-faults` tries all of it."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest

from exporter.simulator.faults import FAULT_KINDS
from tests.support.faults.matrix import FAULTS, OPERATIONS, WAYS, Cell, cells
from tests.support.faults.runner import Stages, try_cell

STAGES = Stages()
SAMPLE = [
    "html-ListDataSourceSyncJobs-later-one",
    "end_in_the_future-ListDataSourceSyncJobs-all",
    "no_start-ListDataSourceSyncJobs-one",
    "denied-ListDataSources-one",
    "throttled-ListTagsForResource-all",
    "not_found-GetDataSource-one",
    "cut-GetApplication-one",
    "html-GetCallerIdentity-all",
    "denied-AssumeRole-all",
]


@pytest.mark.parametrize("cell", [cell for cell in cells() if str(cell) in SAMPLE], ids=str)
def test_a_fault_is_said_and_survived(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a moment and an hour: what says so, what stays, when it recovers, and the totals are the truth."""
    try_cell(cell, monkeypatch, STAGES)


def test_every_fault_of_the_simulator_is_in_the_matrix() -> None:
    """With every operation that it can befall, and each cell has a name of its own."""
    assert {fault.kind for fault in FAULTS} == FAULT_KINDS
    names = sorted(map(str, cells()))
    assert len([name for name, _ in groupby(names)]) == len(names)
    assert set(SAMPLE) <= set(names)


def test_the_page_on_reliability_counts_them() -> None:
    """As many as there are."""
    page = (Path(__file__).parents[2] / "docs" / "reliability.md").read_text()
    assert f"{len(FAULTS)} faults of {len(OPERATIONS)} operations in {len(list(cells()))} cells" in page
    assert f"{len(WAYS)} faults of the connection and the credentials" in page
