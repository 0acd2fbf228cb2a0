"""How figures are said to people."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def format_duration(seconds: float) -> str:
    """Say how long, in one unit or two: `43 s`, `1 h 20 min`, `12 d`."""
    whole = round(abs(seconds))
    for (size, name), (below, its_name) in zip(_UNITS, (*_UNITS[1:], (0, "")), strict=True):
        if whole >= size:
            rest = (whole % size) // below if below else 0
            return f"{whole // size} {name} {rest} {its_name}" if rest else f"{whole // size} {name}"
    return f"{abs(seconds):.1f} s" if seconds else "0 s"


def percentage(ratio: float) -> str:
    """Say a share, with a digit behind the point where it would look like nothing or like all of it otherwise."""
    hundredths = ratio * 100
    return f"{hundredths:.0f} %" if hundredths in {0, 100} or 1 <= hundredths < 99 else f"{hundredths:.1f} %"  # noqa: PLR2004 (per cent)


def moment(seconds: float) -> str:
    """Say when, in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
