"""When a data source is due: AWS's cron expressions, read as `syncSchedule` has them.

aws-croniter knows AWS's grammar and calendar; here is only what is written around it, and what it reads silently wrong.
Times are seconds since the epoch; schedules are in UTC and good to the minute (User Guide, "Sync run schedule").
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from aws_croniter import AwsCroniter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_WRAPPED = re.compile(r"(?:CRON\s*)?\((.*)\)")
_FIELDS = 6
_NO_SUCH_DAY = re.compile(r"L-[1-7]")  # of the week: the library takes it for another day than AWS would, if any
_YEARS = re.compile(r"(\d{4})-(\d{4})")
_HORIZON = 40  # years: the 29th of February comes round to the same day of the week in that time
_ALL_YEARS = list(range(1970, 2200))  # what the grammar has
# After 28 years, up to 2099, every date is on the same day of the week again: such a cycle has every gap there is.
_CYCLE, _CYCLE_DAYS = range(2000, 2028), 28 * 365 + 7
_WEEKLY = re.compile(r"[?*] \* [0-9A-KM-Z,*?-]+ \*")  # weekdays of every week; L is none of their letters
_DAY = 1440  # minutes


class ScheduleError(ValueError):
    """A schedule that is not understood."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A cron expression in AWS's grammar: six fields, in capitals.

    The library is asked about one month at a time: on its way over several it gives up after ten steps, and going back
    it passes over a month that is shorter than the days asked for.
    """

    expression: str
    _cron: AwsCroniter = field(compare=False, repr=False)

    def next(self, now: float) -> float | None:
        """Give the first firing after a moment; None when there is none."""
        return self._first(now + 60, 1, lambda moment: self._cron.occurrence(moment).next(inclusive=True))

    def previous(self, now: float) -> float | None:
        """Give the last firing up to a moment, itself included; None when there was none."""
        return self._first(now, -1, lambda moment: self._cron.occurrence(moment).prev(inclusive=True))

    def longest_gap(self) -> float | None:
        """Give the longest time between two firings in a row, in seconds; None where it fires once or never."""
        minutes = sorted(hour * 60 + minute for hour in self._cron.hours for minute in self._cron.minutes)
        gaps = [later - earlier for earlier, later in pairwise(minutes)]
        days = _gaps_of_days(self.expression.split(maxsplit=2)[2])
        if days:
            gaps.append(days[-1] * _DAY - minutes[-1] + minutes[0])
        return max(gaps) * 60.0 if gaps and days is not None else None

    def _first(self, now: float, way: int, find: Callable[[datetime], datetime | None]) -> float | None:
        for moment in self._months(datetime.fromtimestamp(now, UTC), way):
            found = find(moment)
            if found and (found.year, found.month) == (moment.year, moment.month):
                return found.timestamp()
        return None

    def _months(self, now: datetime, way: int) -> Iterator[datetime]:
        """Yield where to look from: now, then the near end of each month that may have a firing, one way in time."""
        yield now
        for year in self._cron.years[::way]:
            if not 0 <= (year - now.year) * way <= _HORIZON:
                continue
            for month in self._cron.months[::way]:
                start = datetime(year, month, 1, tzinfo=UTC)
                end = start + timedelta(days=monthrange(year, month)[1], minutes=-1)
                near = start if way > 0 else end
                if (near - now) * way > timedelta(0):
                    yield near


@lru_cache(maxsize=4096)
def parse(text: str) -> Schedule | None:
    """Read a `syncSchedule`; None is synced on demand. Raises ScheduleError for what is not understood.

    Seen or documented: `cron(…)`, `(…)` and the bare fields, in any case, with the year left out.
    """
    text = text.strip().upper()
    if not text:
        return None
    wrapped = _WRAPPED.fullmatch(text)
    fields = (wrapped[1] if wrapped else text).split()
    if len(fields) == _FIELDS - 1:
        fields.append("*")
    if len(fields) != _FIELDS:
        raise ScheduleError(f"{len(fields)} fields where a cron expression has six, or five without the year")
    expression = " ".join(_normalised(fields))
    try:
        return Schedule(expression, AwsCroniter(expression))
    except ValueError as error:
        raise ScheduleError(str(error)) from error


@lru_cache(maxsize=1024)
def _gaps_of_days(fields: str) -> list[int] | None:
    """Give the gaps between the days on which a schedule fires, by the fields that say so; None where there is no day.

    Rising; a schedule that fires on one day alone has none.
    """
    cron = AwsCroniter(f"0 0 {fields}")
    recurs = cron.years == _ALL_YEARS
    years = _CYCLE if recurs else cron.years[: 2 * len(_CYCLE)]
    if recurs and _WEEKLY.fullmatch(fields):
        years = _CYCLE[:1]  # one year has all of it
    days = [day.toordinal() for day in _firing_days(cron, years)]
    if days and years == _CYCLE:
        days.append(days[0] + _CYCLE_DAYS)
    return sorted({later - earlier for earlier, later in pairwise(days)}) if days else None


def _firing_days(cron: AwsCroniter, years: Iterable[int]) -> Iterator[datetime]:
    for year in years:
        for month in cron.months:
            moment = datetime(year, month, 1, tzinfo=UTC)
            while (found := cron.occurrence(moment).next(inclusive=True)) and found.month == month == moment.month:
                yield found
                moment = found + timedelta(days=1)


def _normalised(fields: list[str]) -> tuple[str, ...]:
    minute, hour, day, month, weekday, year = fields
    if _NO_SUCH_DAY.fullmatch(weekday):
        raise ScheduleError(f"{weekday} is no day of the week")
    for first, last in _YEARS.findall(year):
        if first > last:
            raise ScheduleError(f"the years {first}-{last} run backwards")  # the library would go round by 2199
    if day == weekday == "*":
        weekday = "?"  # AWS wants one of the two unsaid; both at will can only mean every day
    if weekday == "L":
        weekday = "7"  # the last day of the week; the library would look for a day 0
    return minute, hour, day, month, weekday, year
