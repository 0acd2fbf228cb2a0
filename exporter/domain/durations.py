"""Durations in the format of Prometheus: `500ms`, `90s`, `1h30m`."""

from __future__ import annotations

import re

from exporter.domain.quoting import quoted
from exporter.domain.units import DAY, HOUR, MINUTE

_UNITS = {"y": 365 * DAY, "w": 7 * DAY, "d": DAY, "h": HOUR, "m": MINUTE, "s": 1.0, "ms": 0.001}
_LONGEST = 292 * _UNITS["y"]  # the limit of Prometheus: 64 bits of nanoseconds
PATTERN = "^(0|" + "".join(rf"([0-9]+{unit})?" for unit in _UNITS) + ")$"
_DURATION = re.compile("".join(rf"(?:([0-9]+){unit})?" for unit in _UNITS))
_DIGITS = re.compile(r"[0-9]{1,9}")


def parse_duration(text: object) -> float:
    """Return a duration in seconds; raise ValueError with the expected format."""
    number = _without_unit(text)
    if number is not None:
        if number == 0:
            return 0.0
        raise ValueError(f"{quoted(text)} has no unit: write {format_duration(number, largest='s')} for seconds")
    match = _DURATION.fullmatch(text) if isinstance(text, str) and text else None
    if match is None:
        raise ValueError(f"{quoted(text)} is not a duration: write it as 500ms, 90s or 1h30m, larger units first")
    # float() accepts any number of digits, and int() does not. A huge duration is too long, but not malformed.
    seconds = sum(float(count) * unit for count, unit in zip(match.groups(), _UNITS.values(), strict=True) if count)
    if seconds > _LONGEST:
        raise ValueError(f"{quoted(text)} is too long: write at most 292y")
    return seconds


def _without_unit(text: object) -> float | None:
    """Return a number without a unit; None if the value is not a number that a duration can have."""
    if isinstance(text, str):
        return float(text) if _DIGITS.fullmatch(text) else None
    if isinstance(text, bool) or not isinstance(text, int | float):
        return None
    return float(text) if text == 0 or _UNITS["ms"] <= text <= _LONGEST else None


def format_duration(seconds: float, largest: str = "d") -> str:
    """Return seconds as a duration, rounded to milliseconds; `largest` is the largest unit."""
    parts, milliseconds = [], round(seconds * 1000)
    units = list(_UNITS)
    for unit in units[units.index(largest) :]:
        count, milliseconds = divmod(milliseconds, round(_UNITS[unit] * 1000))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
