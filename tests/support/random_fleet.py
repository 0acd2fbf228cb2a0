"""Fleets made by chance, the same for the same seed, with everything in them that AWS has been seen or said to do."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.simulator.fleet import Fleet, Routine, SimulatedApplication, SimulatedDataSource, SimulatedIndex
from exporter.simulator.job import DOCUMENT_KINDS, PlannedJob

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
TYPES = ("S3", "WEBCRAWLERV2", "SHAREPOINTV2", "CONFLUENCEV2", "SALESFORCEV2", "CONFLUENCE", "JIRA", "CUSTOM")
SCHEDULES = ("", "cron(0 0 ? * * *)", "(15 10 ? * 6L 2023-2025)", "0 12 * * ? *", "cron(35 10 ? * TUE,FRI *)", "hourly")
# (dataSourceErrorCode, error.errorMessage): where the connector's code arrives is not documented.
ERRORS = (
    (
        "SPE-5002",
        "Connection failed due to wrong credentials or invalid sites. Update your configuration and try again.",
    ),
    (None, "CNF-5501: invalid username or password"),
    ("JIRA-5100", None),
    (None, "Unable to find specified secret"),
    (None, 'The source said:\n"401 \\"Unauthorized\\""\r\n\tand\x07 then <b>nothing</b> ' + "x" * 1900),
)
ODD: tuple[dict[str, object], ...] = (
    {"error": None},
    {"metrics": None},
    {"status": "PAUSED"},
    {"metrics": {"documentsAdded": "12x", "documentsFailed": "-3", "documentsScanned": "1e99"}},
    {"endTime": None},
    {"executionId": None},
    {"startTime": None},
)


def random_fleet(seed: int, sources: int = 20, now: float = 1_800_000_000.0, *, odd: bool = True) -> Fleet:
    """Build a fleet of so many data sources, with histories that reach to `now` and beyond.

    Without `odd` every job is as the API reference has it, so that `truth` knows all of it.
    """
    dice = random.Random(seed)
    applications: list[SimulatedApplication] = []
    for number in range(sources):
        if not applications or dice.random() < 1 / 6:
            applications.append(SimulatedApplication(f"app-{seed}-{len(applications)}"))
        indexes = applications[-1].indexes
        if not indexes or dice.random() < 1 / 5:
            status = dice.choice(("ACTIVE", "ACTIVE", "UPDATING"))
            indexes.append(SimulatedIndex(f"index-{seed}-{number}", status=status, units=dice.randint(1, 5)))
        indexes[-1].data_sources.append(_source(dice, f"source-{seed}-{number}", now, odd=odd))
    return Fleet(applications)


def _source(dice: random.Random, name: str, now: float, *, odd: bool) -> SimulatedDataSource:
    kind = dice.choice(TYPES)
    status = dice.choice(("ACTIVE",) * 8 + ("FAILED", "UPDATING"))
    schedule = "" if kind == "CUSTOM" else dice.choice(SCHEDULES)
    tags = {"team": dice.choice(("hr", "legal", ""))} if dice.random() < 1 / 2 else {}
    source = SimulatedDataSource(name, kind, status, schedule, tags=tags, created=now - 90 * DAY, updated=now - DAY)
    never_synced = dice.random() < 1 / 10
    if not never_synced:
        source.routine = _routine(dice, name, kind, now, odd=odd)
    if dice.random() < 1 / 8:
        stuck = now - dice.uniform(25 * HOUR, 30 * DAY)
        execution_id = f"{dice.getrandbits(144):036x}"
        source.jobs.append(PlannedJob(execution_id, stuck, HOUR, 0, None, _figures(dice, 5000, kind)))
    return source


def _routine(dice: random.Random, name: str, kind: str, now: float, *, odd: bool) -> Routine:
    period = dice.choice((5 * MINUTE, 20 * MINUTE, HOUR, DAY))
    size = dice.choice((0, 40, 999, 50_000))
    likely = dice.choice(
        (("SUCCEEDED",), ("INCOMPLETE",), ("FAILED",), ("SUCCEEDED", "INCOMPLETE", "FAILED", "ABORTED"))
    )

    def plan(jobs_dice: random.Random) -> PlannedJob:
        job = _job(jobs_dice, jobs_dice.choice(likely), size, kind)
        longest = jobs_dice.uniform(0.05, 1.3)  # periods: now and then the next job begins before this has ended
        shares = [jobs_dice.uniform(0.1, 1.0) for _ in range(3)]
        scale = longest * period / sum(shares)
        stops = shares[1] * scale if kind == "CUSTOM" else 0.0
        extra = jobs_dice.choice(ODD) if odd and jobs_dice.random() < 1 / 20 else {}
        return replace(
            job,
            crawl_seconds=shares[0] * scale,
            stopping_seconds=stops,
            index_seconds=shares[2] * scale,
            overrides=extra,
        )

    # Somewhere within the last period, so that sources do not move in step.
    return Routine(name, now - dice.randint(0, 150) * period - dice.uniform(0, period), period, plan)


def _job(dice: random.Random, outcome: str, size: int, kind: str) -> PlannedJob:
    make: Callable[[random.Random, int, str], PlannedJob] = _failed if outcome == "FAILED" else _worked
    return replace(make(dice, size, kind), outcome=outcome)


def _failed(dice: random.Random, _size: int, kind: str) -> PlannedJob:
    code, message = dice.choice(ERRORS)
    figures = dice.choice(({}, _figures(dice, 0, kind)))
    api_code = dice.choice(("InternalError", "InvalidRequest", "ResourceInactive", "ResourceNotFound", None))
    return PlannedJob("", 0, documents=figures, error_code=api_code, error_message=message, source_error=code)


def _worked(dice: random.Random, size: int, kind: str) -> PlannedJob:
    return PlannedJob("", 0, documents=_figures(dice, size, kind))


def _figures(dice: random.Random, size: int, kind: str) -> dict[str, int]:
    scanned = dice.randint(size // 2, size)
    touched = dict.fromkeys(DOCUMENT_KINDS, 0) | {"scanned": scanned}
    for name, share in (("added", 0.2), ("modified", 0.5), ("deleted", 0.05), ("failed", 0.013)):
        touched[name] = int(scanned * share * dice.random())
    if kind == "CUSTOM":
        del touched["scanned"]
    return touched
