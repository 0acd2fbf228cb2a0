"""Durations as Prometheus writes them: `500ms`, `90s`, `1h30m`."""

from __future__ import annotations

import re

from exporter.config.messages import quoted
from exporter.domain.units import DAY, HOUR, MINUTE

_UNITS = {"y": 365 * DAY, "w": 7 * DAY, "d": DAY, "h": HOUR, "m": MINUTE, "s": 1.0, "ms": 0.001}
_LONGEST = 292 * _UNITS["y"]  # Prometheus's own limit: what 64 bits of nanoseconds hold
PATTERN = "^(0|" + "".join(rf"([0-9]+{unit})?" for unit in _UNITS) + ")$"
_DURATION = re.compile("".join(rf"(?:([0-9]+){unit})?" for unit in _UNITS))
_WHOLE = re.compile(r"[0-9]{1,9}")


def parse_duration(text: object) -> float:
    """Read a duration as seconds; raises ValueError that says what would be right."""
    bare = _bare_seconds(text)
    if bare is not None:
        if bare == 0:
            return 0.0
        raise ValueError(f"{quoted(text)} has no unit: write {format_duration(bare, largest='s')} for seconds")
    found = _DURATION.fullmatch(text) if isinstance(text, str) and text else None
    if found is None:
        raise ValueError(f"{quoted(text)} is not a duration: write it as 500ms, 90s or 1h30m, larger units first")
    # As floats: their digits may be any number, and too many are merely too long.
    seconds = sum(float(count) * unit for count, unit in zip(found.groups(), _UNITS.values(), strict=True) if count)
    if seconds > _LONGEST:
        raise ValueError(f"{quoted(text)} is longer than any duration can be: the longest is 292y")
    return seconds


def _bare_seconds(text: object) -> float | None:
    """Give the number that was written without a unit; none for what no duration can be."""
    if isinstance(text, str):
        return float(text) if _WHOLE.fullmatch(text) else None
    if isinstance(text, bool) or not isinstance(text, int | float):
        return None
    return float(text) if text == 0 or _UNITS["ms"] <= text <= _LONGEST else None


def format_duration(seconds: float, largest: str = "d") -> str:
    """Write seconds as a duration in units from `largest` down; what is left below a millisecond is dropped."""
    parts, left = [], round(seconds * 1000)
    units = list(_UNITS)
    for unit in units[units.index(largest) :]:
        count, left = divmod(left, round(_UNITS[unit] * 1000))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
