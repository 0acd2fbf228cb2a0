"""Snapshots of data sources with new schedules or objectives, and with syncs expected without a schedule."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.domain.objective_record import ObjectiveRecord
from exporter.domain.units import DAY, HOUR
from tests.support.builders import NOON
from tests.support.status_fixtures import DAILY, ended_job, make_snapshot, running_job

if TYPE_CHECKING:
    from exporter.domain.snapshots import SourceSnapshot


def sources_with_new_schedules() -> list[SourceSnapshot]:
    """Return data sources whose schedule exists for a short time."""
    old = ended_job("SUCCEEDED", 5 * DAY, scanned=9)
    incomplete = ended_job("INCOMPLETE", 60, scanned=100, failed=1)
    hourly = "cron(0 * * * ? *)"
    return [
        make_snapshot(150, "schedule-just-set", old, schedule=DAILY, schedule_since=NOON - 600),
        make_snapshot(151, "schedule-set-before-firing", old, schedule=DAILY, schedule_since=NOON - 14 * HOUR),
        make_snapshot(152, "schedule-set-days-ago", old, schedule=DAILY, schedule_since=NOON - 50 * HOUR),
        make_snapshot(
            153, "schedule-set-and-syncing", old, running_job(5 * HOUR), schedule=hourly, schedule_since=NOON - 6 * HOUR
        ),
        make_snapshot(154, "never-synced-schedule-just-set", schedule=DAILY, schedule_since=NOON - 600),
        make_snapshot(
            155, "incomplete-schedule-just-set", old, incomplete, schedule=hourly, schedule_since=NOON - HOUR
        ),
        make_snapshot(
            156, "incomplete-schedule-hours-old", old, incomplete, schedule=hourly, schedule_since=NOON - 4 * HOUR
        ),
    ]


def sources_with_new_objectives() -> list[SourceSnapshot]:
    """Return data sources whose objectives became stricter an hour ago."""
    values = {"max_failed_ratio": 0.05, "min_documents_scanned": 1.0, "max_duration": DAY}
    record = ObjectiveRecord(values, dict.fromkeys(values, NOON - HOUR))
    before, after, long_before = 2 * HOUR, HOUR / 2, 3 * HOUR
    many_failed = {"scanned": 100, "failed": 40}
    sources = [
        make_snapshot(170, "many-failed-before", ended_job("INCOMPLETE", before, **many_failed)),
        make_snapshot(171, "many-failed-after", ended_job("INCOMPLETE", after, **many_failed)),
        make_snapshot(
            172,
            "many-failed-before-and-none-after",
            ended_job("INCOMPLETE", before, **many_failed),
            ended_job("SUCCEEDED", after, scanned=100, failed=0),
        ),
        make_snapshot(173, "scanned-nothing-before", ended_job("SUCCEEDED", before, scanned=0)),
        make_snapshot(174, "scanned-nothing-after", ended_job("SUCCEEDED", after, scanned=0)),
        make_snapshot(
            175,
            "many-failed-long-before-and-after",
            ended_job("INCOMPLETE", long_before, **many_failed),
            ended_job("INCOMPLETE", after, 1, **many_failed),
        ),
        make_snapshot(176, "running-long-before", running_job(25 * HOUR)),
    ]
    return [replace(source, objectives=record) for source in sources]


def sources_without_schedule() -> list[SourceSnapshot]:
    """Return data sources whose syncs are started from outside."""
    every_six_hours = [ended_job("SUCCEEDED", 4 * DAY + n * 6 * HOUR, n, scanned=9) for n in range(10)]
    recent = [ended_job("SUCCEEDED", n * 6 * HOUR, n, scanned=9) for n in range(1, 6)]
    days_ago = ended_job("SUCCEEDED", 2 * DAY, scanned=9)
    return [
        make_snapshot(160, "stopped", *every_six_hours),
        make_snapshot(161, "stopped-and-syncing", *every_six_hours, running_job(60)),
        make_snapshot(162, "stopped-after-few", *every_six_hours[:4]),
        make_snapshot(163, "recently-synced", *recent),
        make_snapshot(164, "expected-daily", days_ago),
        make_snapshot(165, "expected-daily-and-old", ended_job("SUCCEEDED", 3 * DAY, scanned=9)),
        make_snapshot(166, "expected-daily-and-recent", recent[0]),
        make_snapshot(167, "expected-daily-weekly-schedule", days_ago, schedule="cron(0 2 ? * SUN *)"),
        make_snapshot(168, "expected-daily-hourly-schedule", recent[0], schedule="cron(0 * * * ? *)"),
        make_snapshot(169, "expected-daily-never-synced"),
    ]
