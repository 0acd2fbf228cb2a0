"""Starts that change the state of every data source, which they do in one transaction."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.saved_state import write_state
from tests.support.running_exporter import RunningExporter
from tests.support.state_files import run_sql

SOURCES = 30
UNREACHABLE = "http://127.0.0.1:9"  # the discard port: nothing listens there
WITHOUT_OBJECTIVES = "UPDATE data_source SET state = json_remove(state, '$.objectives', '$.about.schedule_since')"
WAL_HEADER, FRAME_HEADER, PAGE = 32, 24, 4096


def transactions(path: Path) -> int:
    """Return the number of transactions in the write-ahead log of a state file.

    The last frame of each has the size of the database in bytes 4 to 8 of its header, where the others have 0.
    """
    log = Path(f"{path}-wal").read_bytes()[WAL_HEADER:]
    return sum(any(log[start + 4 : start + 8]) for start in range(0, len(log), FRAME_HEADER + PAGE))


@pytest.mark.parametrize(
    ("upgrade", "metrics"), [(WITHOUT_OBJECTIVES, {}), ("", {"duration_buckets": ["1m"]})], ids=str
)
def test_a_start_writes_the_changes_of_all_data_sources_together(
    tmp_path: Path, upgrade: str, metrics: dict[str, Any]
) -> None:
    """State without recorded objectives, as of an earlier release, and histograms with other buckets."""
    path = tmp_path / "state.db"
    write_state(path, SOURCES, time.time())
    run_sql(str(path), upgrade)
    config = {
        "targets": [{"name": "bench", "region": "us-east-1", "endpoint_url": UNREACHABLE, "discovery": {}}],
        "polling": {"requests_per_second": 0.01},  # a poll would commit
        "state": {"path": str(path)},
        "metrics": metrics,
    }
    with RunningExporter(config) as running:
        assert running.scrape().value("qbusiness_sync_running") == SOURCES / 10, "one in ten is syncing"
        assert 0 < transactions(path) < SOURCES / 3
