"""Durations as Prometheus writes them: `500ms`, `90s`, `1h30m`."""

from __future__ import annotations

import re

_UNITS = {"y": 365 * 86400.0, "w": 7 * 86400.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
PATTERN = "^(?=.)(0|" + "".join(rf"([0-9]+{unit})?" for unit in _UNITS) + ")$"
_DURATION = re.compile("".join(rf"(?:([0-9]+){unit})?" for unit in _UNITS))


def parse_duration(text: object) -> float:
    """Read a duration as seconds; raises ValueError that says what would be right."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        if text == 0:
            return 0.0
        raise ValueError(f"{text} has no unit: write {text}s for seconds")
    found = _DURATION.fullmatch(text) if isinstance(text, str) and text else None
    if text == "0":
        return 0.0
    if found is None:
        raise ValueError(f"{text!r} is not a duration: write it as 500ms, 90s or 1h30m, larger units first")
    return sum(int(number) * seconds for number, seconds in zip(found.groups(), _UNITS.values(), strict=True) if number)


def format_duration(seconds: float) -> str:
    """Write seconds as a duration in days and less; what is left below a millisecond is dropped."""
    parts, left = [], round(seconds * 1000)
    for unit in ("d", "h", "m", "s", "ms"):
        size = _UNITS[unit]
        count, left = divmod(left, round(size * 1000))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
