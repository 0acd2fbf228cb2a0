"""Schedules with firings: AWS's cron expressions, in the forms that occur in descriptions.

The library aws-croniter implements AWS's grammar and calendar. This module adds the other forms of expressions, and
rejects or corrects expressions that the library would misread without an error. Times are seconds since the epoch.
Schedules are in UTC and precise to the minute (User Guide, "Sync run schedule").
"""

from __future__ import annotations

import math
import re
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from aws_croniter import AwsCroniter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_WRAPPED = re.compile(r"(?:CRON\s*)?\((.*)\)")
_FIELDS = 6
_UNSUPPORTED_WEEKDAY = re.compile(r"L-[1-7]")  # the grammar allows it for days of the month only
_YEAR_RANGES = re.compile(r"(\d{4})-(\d{4})")
_MAX_YEARS_AWAY = 40  # the 29th of February falls on each day of the week within this number of years
_ALL_YEARS = list(range(1970, 2200))  # the years of the grammar
# The calendar repeats after 28 years (until 2099): each date then falls on the same day of the week. So one such cycle
# contains all gaps of a schedule that recurs every year.
_CYCLE, _CYCLE_DAYS = range(2000, 2028), 28 * 365 + 7
_EVERY_WEEK = re.compile(r"[?*] \* [0-9A-KM-Z,*?-]+ \*")  # the same days every week; L (the last one) is not among them
_DAY = 1440  # minutes


class ScheduleError(ValueError):
    """A schedule that is not valid."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression in AWS's grammar: six fields, in upper case.

    The library is called for one month at a time. When it searches across months, it stops after ten steps. When it
    searches backwards, it skips months that are shorter than the day of the month that it searches for.
    """

    expression: str
    _cron: AwsCroniter = field(compare=False, repr=False)

    recurs: bool = field(init=False, compare=False, repr=False)
    """Whether it fires in every year, or never. In both cases, there is no last firing."""

    def __post_init__(self) -> None:
        """Compare the years only once, because there are 230."""
        object.__setattr__(self, "recurs", bool(self._cron.years == _ALL_YEARS))

    def next(self, now: float) -> float | None:
        """Return the first firing after `now`; None if there is none."""
        return self._search(math.floor(now / 60) + 1, 1)

    def previous(self, now: float) -> float | None:
        """Return the last firing that is not later than `now`; None if there is none."""
        return self._search(math.floor(now / 60), -1)

    @lru_cache(maxsize=4096)  # noqa: B019 (as for `_search`)
    def longest_gap(self) -> float | None:
        """Return the longest time between two consecutive firings, in seconds; None with fewer than two firings.

        The gaps within a day do not depend on the day. The longest gap between days is from the last firing of one day
        to the first firing of the next day that has any.
        """
        minutes = sorted({hour * 60 + minute for hour in self._cron.hours for minute in self._cron.minutes})
        gaps = [later - earlier for earlier, later in pairwise(minutes)]
        day_gaps = _day_gaps(self.expression.split(maxsplit=2)[2])
        if day_gaps:
            gaps.append(day_gaps[-1] * _DAY - minutes[-1] + minutes[0])
        return max(gaps) * 60.0 if gaps and day_gaps is not None else None

    @lru_cache(maxsize=4096)  # noqa: B019 (cached are expressions, which `parse_schedule` keeps as well)
    def _search(self, minute: int, direction: int) -> float | None:
        """Return the first firing at or after a minute; with `direction` -1, the last one at or before it.

        Minutes count from the epoch. The result is cached, because the metrics and the page evaluate a schedule several
        times in a minute, and many data sources may have the same one.
        """
        for start in self._search_starts(datetime.fromtimestamp(minute * 60, UTC), direction):
            occurrence = self._cron.occurrence(start)
            found = occurrence.next(inclusive=True) if direction > 0 else occurrence.prev(inclusive=True)
            if found and (found.year, found.month) == (start.year, start.month):
                return float(found.timestamp())
        return None

    def _search_starts(self, now: datetime, direction: int) -> Iterator[datetime]:
        """Yield the start of the search in each month: `now`, then the nearer end of each month with a firing.

        `direction` is 1 to search forwards and -1 to search backwards.
        """
        yield now
        for year in self._cron.years[::direction]:
            if not 0 <= (year - now.year) * direction <= _MAX_YEARS_AWAY:
                continue
            for month in self._cron.months[::direction]:
                first_minute = datetime(year, month, 1, tzinfo=UTC)
                last_minute = first_minute + timedelta(days=monthrange(year, month)[1], minutes=-1)
                start = first_minute if direction > 0 else last_minute
                if (start - now) * direction > timedelta(0):
                    yield start


def parse_cron(text: str) -> Cron:
    """Parse a cron expression. Raise ScheduleError if it is not valid.

    These forms are documented or were observed: `cron(…)`, `(…)` and the fields alone, in upper or lower case, with or
    without the year.
    """
    text = text.strip().upper()
    wrapped = _WRAPPED.fullmatch(text)
    fields = (wrapped[1] if wrapped else text).split()
    if len(fields) == _FIELDS - 1:
        fields.append("*")
    if len(fields) != _FIELDS:
        raise ScheduleError(f"a cron expression has six fields, or five without the year, and not {len(fields)}")
    expression = " ".join(_normalize(fields))
    try:
        return Cron(expression, AwsCroniter(expression))
    except ValueError as error:
        raise ScheduleError(str(error)) from error


@lru_cache(maxsize=1024)
def _day_gaps(date_fields: str) -> list[int] | None:
    """Return the distinct gaps between the days with a firing, in days and ascending.

    `date_fields` are the last four fields of an expression. The list is empty for a single day, and None is returned if
    no day has a firing.
    """
    cron = AwsCroniter(f"0 0 {date_fields}")
    recurs = cron.years == _ALL_YEARS
    years = _CYCLE if recurs else cron.years[: 2 * len(_CYCLE)]
    if recurs and _EVERY_WEEK.fullmatch(date_fields):
        years = _CYCLE[:1]  # all weeks are the same, so one year is enough
    days = sorted({day.toordinal() for day in _days_with_firing(cron, years)})  # a field may repeat a value
    if days and years == _CYCLE:
        days.append(days[0] + _CYCLE_DAYS)
    return sorted({later - earlier for earlier, later in pairwise(days)}) if days else None


def _days_with_firing(cron: AwsCroniter, years: Iterable[int]) -> Iterator[datetime]:
    for year in years:
        for month in cron.months:
            start = datetime(year, month, 1, tzinfo=UTC)
            while (found := cron.occurrence(start).next(inclusive=True)) and found.month == month == start.month:
                yield found
                start = found + timedelta(days=1)


def _normalize(fields: list[str]) -> tuple[str, ...]:
    """Return the fields in the form that the library needs. Raise ScheduleError for fields that it misreads."""
    minute, hour, day, month, weekday, year = fields
    if _UNSUPPORTED_WEEKDAY.fullmatch(weekday):
        raise ScheduleError(f"{weekday} is not a day of the week")
    for first, last in _YEAR_RANGES.findall(year):
        if first > last:
            raise ScheduleError(f"the range of years {first}-{last} is reversed")  # the library would wrap it at 2199
    if day == weekday == "*":
        weekday = "?"  # AWS requires a ? in one of the two fields, and two asterisks can only mean every day
    if weekday == "L":
        weekday = "7"  # this is the last day of the week, but the library would search for a day 0
    return minute, hour, day, month, weekday, year
