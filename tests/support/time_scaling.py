"""Our rules and routes with every duration shortened by one factor, so that an hour is over within a minute.

Durations are what `for`, ranges, offsets, steps and intervals say. Figures in expressions stay as they are: they are
held against times that AWS says, and in a simulated history those are as old as they are to be. One figure is measured
in the exporter's own time, and shortened too. And what is told for a day is told for half an hour, before that is
shortened.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from promql_parser import parse_duration

if TYPE_CHECKING:
    from pathlib import Path

HASTE = 90
_DURATION = r"\d+(?:ms|[smhdw])"
_DURATIONS = re.compile(
    rf"(?<=\[){_DURATION}(?=[\]:])|(?<=:){_DURATION}(?=\])|(?<=offset ){_DURATION}"
    rf"|(?<=for: ){_DURATION}|(?<=interval: ){_DURATION}|(?<=group_wait: ){_DURATION}"
)
_TOLD_FOR = (":bulk_ratio[1d]", ":bulk_ratio[30m]")
_OWN_TIME = re.compile(r"(?<=qbusiness_exporter_poll_lag_seconds\[10m\]\)\) > )(\d+)")


def shortened(duration: str) -> str:
    """Give a duration as it is in haste."""
    return f"{round(parse_duration(duration).total_seconds() * 1000 / HASTE)}ms"


def in_haste(text: str) -> str:
    """Shorten every duration of a file of rules, or of Alertmanager."""
    own = _OWN_TIME.sub(lambda seconds: f"{int(seconds[0]) / HASTE:.3f}", text.replace(*_TOLD_FOR))
    return _DURATIONS.sub(lambda duration: shortened(duration[0]), own)


def write_in_haste(file: Path, folder: Path) -> Path:
    """Put a file in haste into a folder."""
    copy = folder / file.name
    copy.write_text(in_haste(file.read_text()))
    return copy
