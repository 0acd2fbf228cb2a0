"""Schedules, compared with an independent evaluator that tests every day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from exporter.domain.schedules.schedule import ScheduleError, parse_schedule
from tests.support.cron_walk import DAYS, MONTHS, find_firing, longest_gap

NOW = datetime(2026, 11, 23, 13, 30, tzinfo=UTC)  # a Monday
HORIZON = 4000  # days: longer than the time between the most distant firings
CASES = [line.split("\t") for line in (Path(__file__).parents[2] / "data" / "schedules.txt").read_text().splitlines()]


def unescape(text: str) -> str:
    r"""Replace `\t` and `\n` by the characters: the file has one schedule per line, and columns divided by tabs."""
    return text.replace("\\t", "\t").replace("\\n", "\n")


VALID = [unescape(schedule) for expectation, schedule, *_ in CASES if expectation == "valid"]
INVALID = [unescape(schedule) for expectation, schedule, *_ in CASES if expectation == "invalid"]


def formatted(time: float | None) -> str:
    """Return a time as text, or `never`."""
    return "never" if time is None else f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M}"


def walked(expression: str, start: datetime, direction: int, days: int) -> str:
    """Return the nearest firing by the independent evaluator as text."""
    firing = find_firing(expression, start, direction, days)
    return formatted(firing.timestamp() if firing else None)


def numbers(lowest: int, highest: int) -> st.SearchStrategy[str]:
    """Generate numbers, ranges that may wrap, and steps."""
    number = st.integers(lowest, highest).map(str)
    span = st.tuples(number, number).map("-".join)
    start = st.one_of(st.just("*"), number, span)
    step = st.tuples(start, st.integers(1, max(1, highest // 2)).map(str)).map("/".join)
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
times = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)).map(lambda time: time.replace(tzinfo=UTC))  # noqa: DTZ001 (hypothesis takes bounds without a time zone)


@settings(max_examples=250)
@given(expressions, times)
def test_firings_are_those_of_a_walk_over_days(expression: str, now: datetime) -> None:
    """The next and the previous firing are correct for every expression of AWS's grammar."""
    schedule = parse_schedule(f"cron({expression})")
    assert schedule
    minute, days = now.replace(second=0, microsecond=0), 3000
    found = schedule.next(now.timestamp()), schedule.previous(now.timestamp())
    # The evaluator searches a limited number of days only.
    near = [time if time and abs(time - now.timestamp()) < (days - 2) * 86400 else None for time in found]
    expected = [walked(expression, minute + timedelta(minutes=1), 1, days), walked(expression, minute, -1, days)]
    assert [formatted(time) for time in near] == expected


@settings(max_examples=25)
@example("0 0 1 1,1 ? 2024", "0 2")
@example("0 0 1 1 ? 2024", "5,5 2,2")
@given(expressions, st.sampled_from(["0 2", "0/20 6-18", "15,45 0,12", "59 23", "0/30 20-2"]))
def test_the_longest_gap_is_that_of_a_walk_over_days(expression: str, minutes: str) -> None:
    """The evaluator walks over a complete cycle of the calendar."""
    expression = f"{minutes} {expression.split(maxsplit=2)[2]}"
    schedule = parse_schedule(expression)
    assert schedule
    assert schedule.longest_gap() == longest_gap(expression, first_year=2023)


def test_the_collected_schedules_have_an_expectation_each() -> None:
    """The 120 schedules in tests/data/schedules.txt come from examples, documentation and error reports."""
    assert len(VALID) + len(INVALID) == len(CASES) == 120


@pytest.mark.parametrize("text", VALID)
def test_a_valid_schedule_has_correct_firings_and_gaps(text: str) -> None:
    """The next firing, the previous one and the longest gap are those of the independent evaluator."""
    schedule = parse_schedule(text)
    assert schedule
    found = [formatted(schedule.next(NOW.timestamp())), formatted(schedule.previous(NOW.timestamp()))]
    after = NOW + timedelta(minutes=1)
    expected = [walked(schedule.expression, after, 1, HORIZON), walked(schedule.expression, NOW, -1, HORIZON)]
    assert found == expected
    assert schedule.longest_gap() == longest_gap(schedule.expression, first_year=2001)


@pytest.mark.parametrize("text", INVALID)
def test_an_invalid_schedule_raises_schedule_error(text: str) -> None:
    """The exporter reports such a schedule as not valid, and computes no times from it."""
    with pytest.raises(ScheduleError):
        parse_schedule(text)


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
def test_all_known_forms_of_a_schedule_are_parsed(text: str, following: str, before: str) -> None:
    """Expressions may be wrapped or not, with or without a year, in upper or lower case."""
    schedule = parse_schedule(text)
    assert schedule
    found = (formatted(schedule.next(NOW.timestamp())), formatted(schedule.previous(NOW.timestamp())))
    assert found == (following, before)


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_an_empty_schedule_means_on_demand(text: str) -> None:
    """It is not an error."""
    assert parse_schedule(text) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hourly", "a cron expression has six fields, or five without the year, and not 1"),
        ("cron()", "a cron expression has six fields, or five without the year, and not 0"),
        ("cron(0 12 ? * L-3 *)", "L-3 is not a day of the week"),
        ("cron(0 12 * * ? 2046-2025)", "the range of years 2046-2025 is reversed"),
    ],
)
def test_the_error_states_the_problem(text: str, message: str) -> None:
    """For problems that the library does not find, the message is the exporter's own."""
    with pytest.raises(ScheduleError) as error:
        parse_schedule(text)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "text",
    [
        "cron(0 12 * * ?) *",
        "cron(61 12 * * ? *)",
        "cron(0 12 1 * 2 *)",
        "cron(0 12 ? * ? *)",
        "cron(*-5 12 * * ? *)",
        "cron(0/0 12 * * ? *)",
        "cron(0 12 * * ? * *)",
        "cron(\u0661 12 * * ? *)",
        "x" * 998,
    ],
)
def test_malformed_text_raises_schedule_error(text: str) -> None:
    """It never becomes a wrong time, or another exception."""
    with pytest.raises(ScheduleError):
        parse_schedule(text)


@given(st.text(max_size=60) | st.text("0123456789*?/-,#LWcron() ", max_size=40))
def test_every_text_is_a_schedule_or_raises_schedule_error(text: str) -> None:
    """A firing is always on the correct side of the given time."""
    try:
        schedule = parse_schedule(text)
    except ScheduleError:
        return
    assume(schedule is not None)
    assert schedule
    now = NOW.timestamp()
    following, before = schedule.next(now), schedule.previous(now)
    assert following is None or following > now
    assert before is None or before <= now
