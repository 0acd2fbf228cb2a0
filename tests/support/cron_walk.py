"""An independent evaluator of AWS's cron expressions: it tests every day, and shares no code with the exporter."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise

MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
MONTHS = {name: number for number, name in enumerate(MONTH_NAMES, start=1)}
DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)}
NAMES = {**MONTHS, **DAYS}
CYCLE = timedelta(days=28 * 365 + 7)  # the calendar repeats after 28 years, up to the year 2099


@lru_cache(maxsize=10_000)
def values(text: str, lowest: int, highest: int) -> frozenset[int]:
    """Return the values of a field with numbers, names, ranges that may wrap, and steps."""
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start = lowest if first == "*" else NAMES.get(first) or int(first)
        open_end = highest if first == "*" or step else start
        end = NAMES.get(last) or int(last or open_end)
        if end < start:
            end += highest - lowest + 1
        found |= {(value - lowest) % (highest - lowest + 1) + lowest for value in range(start, end + 1, int(step or 1))}
    return frozenset(found)


def is_day_of_month(text: str, day: datetime) -> bool:
    """Return whether a field for the day of the month contains a day."""
    last = calendar.monthrange(day.year, day.month)[1]
    if text.startswith("L"):
        return day.day == last - int(text[2:] or 0)
    if text.endswith("W"):
        if int(text[:-1]) > last:
            return False
        wanted = day.replace(day=int(text[:-1]))
        shift = {5: 2 if wanted.day == 1 else -1, 6: -2 if wanted.day == last else 1}.get(wanted.weekday(), 0)
        return day.day == wanted.day + shift
    return day.day in values(text, 1, 31)


def is_day_of_week(text: str, day: datetime) -> bool:
    """Return whether a field for the day of the week contains a day. Sunday is 1."""
    weekday = (day.weekday() + 1) % 7 + 1
    if text == "L":
        return weekday == 7
    if text.endswith("L"):
        return {weekday} == values(text[:-1], 1, 7) and day.day + 7 > calendar.monthrange(day.year, day.month)[1]
    if "#" in text:
        which, _, nth = text.partition("#")
        return {weekday} == values(which, 1, 7) and (day.day - 1) // 7 + 1 == int(nth)
    return weekday in values(text, 1, 7)


def has_firing(expression: str, day: datetime) -> bool:
    """Return whether an expression fires on a day."""
    _, _, day_of_month, month, day_of_week, year = expression.split()
    return (
        day.month in values(month, 1, 12)
        and day.year in values(year, 1970, 2199)
        and (day_of_month == "?" or is_day_of_month(day_of_month, day))
        and (day_of_week == "?" or is_day_of_week(day_of_week, day))
    )


def times_of_day(expression: str) -> list[timedelta]:
    """Return the times at which an expression fires on its days, in order."""
    minute, hour, *_ = expression.split()
    return sorted(timedelta(hours=h, minutes=m) for h in values(hour, 0, 23) for m in values(minute, 0, 59))


def find_firing(expression: str, start: datetime, direction: int, days: int) -> datetime | None:
    """Return the nearest firing at `start` or after it, or at `start` or before it if `direction` is -1.

    Searches a number of days, and returns None if there is no firing within them.
    """
    times = times_of_day(expression)[::direction]
    midnight = start.replace(hour=0, minute=0)
    for day in (midnight + direction * timedelta(days=n) for n in range(days)):
        if has_firing(expression, day):
            for firing in (day + time for time in times):
                if (firing - start) * direction >= timedelta(0):
                    return firing
    return None


def longest_gap(expression: str, first_year: int) -> float | None:
    """Return the longest time between two firings, in seconds; None if there are not two.

    The years of the expression must be `*`, or within the 28 years from `first_year` on.
    """
    first = datetime(first_year, 1, 1, tzinfo=UTC)
    days = [day for day in (first + timedelta(days=n) for n in range(CYCLE.days)) if has_firing(expression, day)]
    if expression.endswith(" *"):
        days += [day + CYCLE for day in days[:1]]
    times = times_of_day(expression)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    gaps += [later - earlier - times[-1] + times[0] for earlier, later in pairwise(days)]
    return max(gaps).total_seconds() if days and gaps else None
