"""A sample of the fault matrix, and its completeness. `make test-faults` runs the whole matrix."""

from __future__ import annotations

from itertools import groupby

import pytest

from exporter.simulator.faults import FAULT_KINDS
from tests.support.faults.cases import FAULTS
from tests.support.faults.matrix import Cell, cells
from tests.support.faults.pool import EnvironmentPool, run_cell

POOL = EnvironmentPool()
SAMPLE = [
    "qbusiness-html-ListDataSourceSyncJobs-later-one",
    "qbusiness-end_in_the_future-ListDataSourceSyncJobs-all",
    "qbusiness-no_start-ListDataSourceSyncJobs-one",
    "qbusiness-denied-ListDataSources-one",
    "qbusiness-throttled-ListTagsForResource-all",
    "qbusiness-not_found-GetDataSource-one",
    "qbusiness-truncated_json-ListDocuments-later-one",
    "qbusiness-cut-GetApplication-one",
    "qbusiness-html-GetCallerIdentity-all",
    "qbusiness-denied-AssumeRole-all",
    "kendra-no_end-ListDataSourceSyncJobs-all",
    "kendra-not_found-DescribeIndex-one",
    "kendra-cut-GetCallerIdentity-all",
    "bedrock-empty_page-ListIngestionJobs-one",
    "bedrock-truncated_json-GetKnowledgeBase-one",
    "bedrock-denied-GetIngestionJob-one",
    "bedrock-reset_midway-GetIngestionJob-all",
]


@pytest.mark.parametrize("cell", [cell for cell in cells() if str(cell) in SAMPLE], ids=str)
def test_a_fault_is_reported_and_the_program_recovers(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics report the fault, other values do not change, the program recovers, and the totals are correct."""
    run_cell(cell, monkeypatch, POOL)


def test_every_fault_of_the_simulator_is_in_the_matrix() -> None:
    """Each cell has a unique name."""
    assert {fault.kind for fault in FAULTS} == FAULT_KINDS
    names = sorted(map(str, cells()))
    assert len([name for name, _ in groupby(names)]) == len(names)
    assert set(SAMPLE) <= set(names)
