"""Rules and routes with every duration divided by one factor, so that an hour passes within a minute.

The durations of `for`, ranges, offsets, subquery steps and intervals are divided. Numbers in expressions do not change:
they are compared with timestamps of AWS, and the simulated history has those at their real age. There are two
exceptions. The threshold of QBusinessPollsLate is measured in the exporter's own time, so it is divided. The day of
alerts about events, and a `for` of a day, is replaced by half an hour, which is then divided.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from promql_parser import parse_duration

if TYPE_CHECKING:
    from pathlib import Path

SPEEDUP = 90
_DURATION = r"\d+(?:ms|[smhdw])"
_DURATIONS = re.compile(
    rf"(?<=\[){_DURATION}(?=[\]:])|(?<=:){_DURATION}(?=\])|(?<=offset ){_DURATION}"
    rf"|(?<=for: ){_DURATION}|(?<=interval: ){_DURATION}|(?<=group_wait: ){_DURATION}"
)
_EVENT_RANGE = re.compile(
    r"(?<=:)(bulk_ratio|recent_ratio|documents_failed|documents_deleted|first_added_nothing)\[1d\]"
)
_WHOLE_DAY = ("for: 1d\n", "for: 30m\n")
_LAG_THRESHOLD = re.compile(r"(?<=qbusiness_exporter_poll_lag_seconds\[10m\]\)\) > )(\d+)")


def scale_duration(duration: str) -> str:
    """Return a duration divided by the factor."""
    return f"{round(parse_duration(duration).total_seconds() * 1000 / SPEEDUP)}ms"


def scale(text: str) -> str:
    """Return a rule file, or a configuration of Alertmanager, with its durations divided."""
    shortened = _EVENT_RANGE.sub(r"\1[30m]", text.replace(*_WHOLE_DAY))
    scaled = _LAG_THRESHOLD.sub(lambda seconds: f"{int(seconds[0]) / SPEEDUP:.3f}", shortened)
    return _DURATIONS.sub(lambda duration: scale_duration(duration[0]), scaled)


def write_scaled(file: Path, folder: Path) -> Path:
    """Write a copy of a file with its durations divided into a folder; return its path."""
    copy = folder / file.name
    copy.write_text(scale(file.read_text()))
    return copy
