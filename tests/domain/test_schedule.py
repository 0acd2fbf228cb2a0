"""Schedules, held against a walk over every minute by somebody who reads the grammar anew."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from exporter.domain.schedule import ScheduleError, parse_schedule

MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
MONTHS = {name: number for number, name in enumerate(MONTH_NAMES, start=1)}
DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)}


def at(text: str) -> float:
    """Give a moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def said(moment: float | None) -> str:
    """Write a moment as a person reads it."""
    return "never" if moment is None else f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M}"


def values(text: str, least: int, most: int, names: dict[str, int] | None = None) -> set[int]:
    """Read a field of numbers, ranges and steps; ranges may wrap."""
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start = least if first == "*" else (names or {}).get(first) or int(first)
        open_end = most if first == "*" or step else start
        end = (names or {}).get(last) or int(last or open_end)
        if end < start:
            end += most - least + 1
        found |= {(value - least) % (most - least + 1) + least for value in range(start, end + 1, int(step or 1))}
    return found


def is_day_of_month(text: str, day: datetime) -> bool:
    """Tell whether a day is one of the month's days that a field means."""
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
    """Tell whether a day is one of the weekdays that a field means; Sunday is 1."""
    weekday = (day.weekday() + 1) % 7 + 1
    if text == "L":
        return weekday == 7
    if text.endswith("L"):
        return weekday == values(text[:-1], 1, 7, DAYS).pop() and (day + timedelta(days=7)).month != day.month
    if "#" in text:
        which, nth = text.split("#")
        return weekday == values(which, 1, 7, DAYS).pop() and (day.day - 1) // 7 + 1 == int(nth)
    return weekday in values(text, 1, 7, DAYS)


def fires(expression: str, moment: datetime) -> bool:
    """Tell whether an expression fires at a minute."""
    minute, hour, day, month, weekday, year = expression.split()
    return (
        moment.minute in values(minute, 0, 59)
        and moment.hour in values(hour, 0, 23)
        and moment.month in values(month, 1, 12, MONTHS)
        and moment.year in values(year, 1970, 2199)
        and (day == "?" or is_day_of_month(day, moment))
        and (weekday == "?" or is_day_of_week(weekday, moment))
    )


def firing_days(expression: str, start: datetime, step: int, days: int) -> datetime | None:
    """Walk over minutes, one way or the other, until the expression fires; days on which it cannot are stepped over."""
    minute, hour, *_ = expression.split()
    moment = start
    clock = {(h, m) for h in values(hour, 0, 23) for m in values(minute, 0, 59)}
    some = next(iter(clock))
    while abs(moment - start) < timedelta(days=days):
        if fires(expression, moment.replace(hour=some[0], minute=some[1])):
            if (moment.hour, moment.minute) in clock:
                return moment
            moment += timedelta(minutes=step)
        else:
            beginning = moment.replace(hour=0, minute=0)
            moment = beginning + timedelta(days=1) if step > 0 else beginning - timedelta(minutes=1)
    return None


def numbers(least: int, most: int) -> st.SearchStrategy[str]:
    """Make numbers, ranges that may wrap, and steps."""
    number = st.integers(least, most).map(str)
    span = st.tuples(number, number).map("-".join)
    step = st.tuples(st.one_of(st.just("*"), number, span), st.integers(1, max(1, most // 2)).map(str)).map("/".join)
    return st.one_of(st.just("*"), st.lists(st.one_of(number, span, step), min_size=1, max_size=3).map(",".join))


days_of_month = st.one_of(
    numbers(1, 31),
    st.just("L"),
    st.integers(1, 30).map("L-{}".format),
    st.integers(1, 31).map("{}W".format),
)
day_names = st.one_of(st.integers(1, 7).map(str), st.sampled_from(sorted(DAYS)))
days_of_week = st.one_of(
    st.just("*"),
    st.just("L"),
    st.lists(st.one_of(day_names, st.tuples(day_names, day_names).map("-".join)), min_size=1, max_size=3).map(",".join),
    day_names.map("{}L".format),
    st.tuples(day_names, st.integers(1, 5)).map(lambda which: f"{which[0]}#{which[1]}"),
)
months = st.one_of(st.just("*"), numbers(1, 12), st.sampled_from(sorted(MONTHS)))
years = st.one_of(st.just("*"), st.integers(2024, 2032).map(str), st.just("2023-2026"))
expressions = st.tuples(
    numbers(0, 59),
    numbers(0, 23),
    st.one_of(days_of_month.map(lambda day: (day, "?")), days_of_week.map(lambda day: ("?", day))),
    months,
    years,
).map(lambda parts: " ".join((parts[0], parts[1], parts[2][0], parts[3], parts[2][1], parts[4])))
moments = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001 (hypothesis wants its bounds without)


@settings(max_examples=400)
@given(expressions, moments)
def test_firings_are_those_of_a_walk_over_minutes(expression: str, now: datetime) -> None:
    """Both ways, for whatever AWS's grammar has."""
    schedule = parse_schedule(f"cron({expression})")
    assert schedule
    minute = now.replace(second=0, microsecond=0)
    horizon = 3000
    after = firing_days(expression, minute + timedelta(minutes=1), 1, horizon)
    before = firing_days(expression, minute, -1, horizon)
    found = schedule.next(now.timestamp()), schedule.previous(now.timestamp())
    near = [moment if moment and abs(moment - now.timestamp()) < (horizon - 2) * 86400 else None for moment in found]
    assert [said(moment) for moment in near] == [said(day.timestamp() if day else None) for day in (after, before)]


@pytest.mark.parametrize(
    ("text", "following", "before"),
    [
        ("cron(0 0 ? * * *)", "2026-11-24 00:00", "2026-11-23 00:00"),
        ("cron(35 10 ? * TUE,FRI *)", "2026-11-24 10:35", "2026-11-20 10:35"),
        ("cron(0 12 * * ? *)", "2026-11-24 12:00", "2026-11-23 12:00"),
        ("(0 12 * * ? *)", "2026-11-24 12:00", "2026-11-23 12:00"),
        ("(15 10 ? * 6L 2023-2025)", "never", "2025-12-26 10:15"),
        ("0 12 * * ?", "2026-11-24 12:00", "2026-11-23 12:00"),
        ("0 12 * * *", "2026-11-24 12:00", "2026-11-23 12:00"),
        ("  Cron ( 0  12 * *  ? * ) ", "2026-11-24 12:00", "2026-11-23 12:00"),
        ("cron(0/30 20-2 ? * mon-fri *)", "2026-11-23 20:00", "2026-11-23 02:30"),
        ("cron(0 3 29 2 ? *)", "2028-02-29 03:00", "2024-02-29 03:00"),
        ("cron(0 3 ? 2 FRI#5 *)", "2036-02-29 03:00", "2008-02-29 03:00"),
        ("cron(0 3 ? * L *)", "2026-11-28 03:00", "2026-11-21 03:00"),
        ("cron(30 13 23 11 ? *)", "2027-11-23 13:30", "2026-11-23 13:30"),
        ("cron(0 0 1 1 ? 2001)", "never", "2001-01-01 00:00"),
        ("cron(0 12 * 2 ? *)", "2027-02-01 12:00", "2026-02-28 12:00"),
    ],
)
def test_every_form_that_was_seen_is_understood(text: str, following: str, before: str) -> None:
    """Wrapped or bare, with or without a year, in any case; at half past one on a Monday."""
    schedule = parse_schedule(text)
    assert schedule
    now = at("2026-11-23 13:30:00")
    assert (said(schedule.next(now)), said(schedule.previous(now))) == (following, before)


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_without_a_schedule_it_is_synced_on_demand(text: str) -> None:
    """Which is no error."""
    assert parse_schedule(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "hourly",
        "rate(1 hour)",
        "cron()",
        "cron(0 12 * * ?) *",
        "cron(61 12 * * ? *)",
        "cron(0 12 1 * 2 *)",
        "cron(0 12 ? * ? *)",
        "cron(0 12 LW * ? *)",
        "cron(0 12 ? * L-3 *)",
        "cron(0 12 32 * ? *)",
        "cron(0 12 * * ? 2026/2)",
        "cron(0 12 * * ? 2046-2025)",
        "cron(*-5 12 * * ? *)",
        "cron(0/0 12 * * ? *)",
        "cron(0 12 * * ? * *)",
        "cron(\u0661 12 * * ? *)",
        "x" * 998,
    ],
)
def test_what_is_not_understood_is_said(text: str) -> None:
    """By one kind of error, never by a wrong time."""
    with pytest.raises(ScheduleError):
        parse_schedule(text)


@given(st.text(max_size=60) | st.text("0123456789*?/-,#LWcron() ", max_size=40))
def test_no_text_is_anything_but_understood_or_not(text: str) -> None:
    """Whatever AWS hands out."""
    try:
        schedule = parse_schedule(text)
    except ScheduleError:
        return
    assume(schedule is not None)
    assert schedule
    now = at("2026-11-23 13:30:00")
    following, before = schedule.next(now), schedule.previous(now)
    assert following is None or following > now
    assert before is None or before <= now
