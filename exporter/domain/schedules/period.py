"""Schedules without firings: AWS starts a sync once in a period, at a time of its own choice.

The connectors of managed knowledge bases have such schedules. AWS returns them as structures. A description contains
them as text: `every day`, `weekly on MONDAY`, `monthly on day 15`, `monthly on the last day`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from exporter.domain.units import DAY

_LONGEST_GAPS = {"every day": DAY, "weekly": 7 * DAY, "monthly": 31 * DAY}
_FORM = re.compile(
    r"(?P<every>every day)"
    r"|(?P<week>weekly) on (?:MON|TUES|WEDNES|THURS|FRI|SATUR|SUN)DAY"
    r"|(?P<month>monthly) on (?:day (?:[1-9]|[12][0-9]|3[01])|the last day)"
)


@dataclass(frozen=True, slots=True)
class Period:
    """A schedule that starts one sync in each period. AWS chooses the time of day, which may vary."""

    expression: str
    unit: str

    @property
    def recurs(self) -> bool:
        """True, because no sync is the last one."""
        return True

    def next(self, _now: float) -> None:
        """Return None, because the next start is not known."""

    def previous(self, _now: float) -> None:
        """Return None, because the last start that AWS chose is not known."""

    def longest_gap(self) -> float:
        """Return the longest time between two starts, in seconds: one period, and a day for AWS's choice."""
        return _LONGEST_GAPS[self.unit] + DAY


def parse_period(text: str) -> Period | None:
    """Return the schedule of a text; None if it is not of this kind."""
    form = _FORM.fullmatch(text)
    unit = form and (form["every"] or form["week"] or form["month"])
    return Period(text, unit) if unit else None
