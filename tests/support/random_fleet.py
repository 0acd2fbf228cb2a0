"""Random fleets, the same for the same seed, with all behaviour of AWS that was observed or is documented."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.domain.units import DAY, HOUR, MINUTE
from exporter.providers.registry import DEFAULT_SERVICE
from exporter.simulator.apis import traits_of
from exporter.simulator.fleet import Fleet, Routine, SimulatedApplication, SimulatedDataSource, SimulatedIndex
from exporter.simulator.job import PlannedJob
from simulation.fleet import document_counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.simulator.traits import SimulatorTraits

TRAITS = replace(
    traits_of(DEFAULT_SERVICE.name),
    source_kinds=(
        "S3",
        "WEBCRAWLERV2",
        "SHAREPOINTV2",
        "CONFLUENCEV2",
        "SALESFORCEV2",
        "CONFLUENCE",
        "JIRA",
        "CUSTOM",
    ),
    schedules=(
        "",
        "cron(0 0 ? * * *)",
        "(15 10 ? * 6L 2023-2025)",
        "0 12 * * ? *",
        "cron(35 10 ? * TUE,FRI *)",
        "hourly",
    ),
)
"""Amazon Q Business with more kinds and schedules of data sources, in all of their notations."""
# (dataSourceErrorCode, error.errorMessage): AWS does not document which of them has the connector's code.
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


def random_fleet(
    seed: int,
    sources: int = 20,
    now: float = 1_800_000_000.0,
    traits: SimulatorTraits = TRAITS,
    *,
    odd: bool = True,
) -> Fleet:
    """Return a fleet of some data sources of a service, with sync jobs before and after `now`.

    Without `odd`, every job conforms to the API reference, so that `expected_totals` is correct.
    """
    rng = random.Random(seed)
    applications: list[SimulatedApplication] = []
    for number in range(sources):
        if not applications or rng.random() < 1 / 6:
            applications.append(SimulatedApplication(f"app-{seed}-{len(applications)}"))
        indexes = applications[-1].indexes
        if not indexes or rng.random() < 1 / 5:
            status = rng.choice(("ACTIVE", "ACTIVE", "UPDATING"))
            index = SimulatedIndex(f"index-{seed}-{number}", status=status, units=rng.randint(1, 5))
            index.kind = traits.index_kind
            indexes.append(index)
        indexes[-1].data_sources.append(_source(rng, f"source-{seed}-{number}", now, traits, odd=odd))
    return Fleet(applications)


def _source(rng: random.Random, name: str, now: float, traits: SimulatorTraits, *, odd: bool) -> SimulatedDataSource:
    kind = rng.choice(traits.source_kinds)
    status = rng.choice(("ACTIVE",) * 8 + ("FAILED", "UPDATING"))
    schedule = "" if kind == "CUSTOM" else rng.choice(traits.schedules)
    tags = {"team": rng.choice(("hr", "legal", ""))} if rng.random() < 1 / 2 else {}
    source = SimulatedDataSource(name, kind, status, schedule, tags=tags, created=now - 90 * DAY, updated=now - DAY)
    never_synced = rng.random() < 1 / 10 or kind in traits.kinds_without_jobs
    if not never_synced:
        routine = _routine(rng, name, kind, now, odd=odd)
        source.routine = replace(routine, plan=lambda job_rng: traits.reported(routine.plan(job_rng)))
    if rng.random() < 1 / 8:
        stuck = now - rng.uniform(25 * HOUR, 30 * DAY)
        execution_id = f"{rng.getrandbits(144):036x}"
        source.jobs.append(PlannedJob(execution_id, stuck, HOUR, 0, None, document_counts(rng, 5000, kind)))
    return source


def _routine(rng: random.Random, name: str, kind: str, now: float, *, odd: bool) -> Routine:
    period = rng.choice((5 * MINUTE, 20 * MINUTE, HOUR, DAY))
    size = rng.choice((0, 40, 999, 50_000))
    outcomes = rng.choice(
        (("SUCCEEDED",), ("INCOMPLETE",), ("FAILED",), ("SUCCEEDED", "INCOMPLETE", "FAILED", "ABORTED"))
    )

    def plan(job_rng: random.Random) -> PlannedJob:
        job = _job(job_rng, job_rng.choice(outcomes), size, kind)
        duration = job_rng.uniform(0.05, 1.3)  # in periods; sometimes the next job starts before this one ends
        shares = [job_rng.uniform(0.1, 1.0) for _ in range(3)]
        scale = duration * period / sum(shares)
        stops = shares[1] * scale if kind == "CUSTOM" else 0.0
        overrides = job_rng.choice(ODD) if odd and job_rng.random() < 1 / 20 else {}
        return replace(
            job,
            crawl_seconds=shares[0] * scale,
            stopping_seconds=stops,
            index_seconds=shares[2] * scale,
            overrides=overrides,
        )

    # A random start within the period, so that the jobs of data sources do not start at the same time.
    return Routine(name, now - rng.randint(0, 150) * period - rng.uniform(0, period), period, plan)


def _job(rng: random.Random, outcome: str, size: int, kind: str) -> PlannedJob:
    make: Callable[[random.Random, int, str], PlannedJob] = _failed_job if outcome == "FAILED" else _job_with_documents
    return replace(make(rng, size, kind), outcome=outcome)


def _failed_job(rng: random.Random, _size: int, kind: str) -> PlannedJob:
    code, message = rng.choice(ERRORS)
    counts = rng.choice(({}, document_counts(rng, 0, kind)))
    api_code = rng.choice(("InternalError", "InvalidRequest", "ResourceInactive", "ResourceNotFound", None))
    return PlannedJob("", 0, documents=counts, error_code=api_code, error_message=message, source_error=code)


def _job_with_documents(rng: random.Random, size: int, kind: str) -> PlannedJob:
    return PlannedJob("", 0, documents=document_counts(rng, size, kind))
