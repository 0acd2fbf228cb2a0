"""The history in Prometheus of two data sources, for alerts that look back further than a test lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promql_parser import parse_duration

from exporter.simulator.fleet import make_id
from tests.support.broken_account import STUCK_AT, USUAL
from tests.support.prometheus_server import create_blocks
from tests.support.time_scaling import SPEEDUP

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.support.service_case import ServiceCase

HISTORY = {
    "data_source:{}_last_completed_sync_documents_scanned:indexed": ("dropped", USUAL, "26h"),
    "data_source:{}_running_sync_documents:sum": ("stuck", STUCK_AT, "7h"),
}


def write_history(folder: Path, now: float, cases: Iterable[ServiceCase]) -> None:
    """Write what rules have recorded of two data sources of each service, as blocks of Prometheus."""
    lines = []
    for case in cases:
        for name, (source, value, age) in HISTORY.items():
            series = f'{name.format(case)}{{data_source_id="{case.wire_id(make_id("data source", source))}"}}'
            seconds = int(parse_duration(age).total_seconds() / SPEEDUP)
            lines.append(f"# TYPE {name.format(case)} gauge")
            lines += [f"{series} {value} {now - ago}" for ago in range(seconds, 0, -1)]
    text = folder / "history.txt"
    text.write_text("\n".join([*lines, "# EOF", ""]))
    create_blocks(text, folder / "data")
