"""Durations, ratios and times as text for readers."""

from __future__ import annotations

from datetime import UTC, datetime

from exporter.domain.units import DAY, HOUR, MINUTE

_UNITS = ((int(DAY), "d"), (int(HOUR), "h"), (int(MINUTE), "min"), (1, "s"))


def format_duration(seconds: float) -> str:
    """Return a duration in at most two units, such as `43 s`, `1 h 20 min` or `12 d`."""
    whole = round(abs(seconds))
    for (size, name), (smaller, smaller_name) in zip(_UNITS, (*_UNITS[1:], (0, "")), strict=True):
        if whole >= size:
            rest = (whole % size) // smaller if smaller else 0
            return f"{whole // size} {name} {rest} {smaller_name}" if rest else f"{whole // size} {name}"
    tenths = round(abs(seconds), 1)
    return f"{tenths} s" if tenths else "0 s"


def percentage(ratio: float) -> str:
    """Return a ratio in per cent, with one decimal if rounding would result in 0 or 100."""
    percent = ratio * 100
    decimals = 0 if percent in {0, 100} or 1 <= percent < 99 else 1  # noqa: PLR2004 (per cent)
    return f"{percent:.{decimals}f} %"


def format_time(seconds: float) -> str:
    """Return a time in UTC, to the minute."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
