"""A realistic fleet: what each data source does in a week, in hours since Monday 00:00 UTC."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.domain.units import HOUR, MINUTE
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedIndex, make_id
from exporter.simulator.job import PlannedJob
from simulation.fleet import PlannedSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BEFORE, WEEK = -10 * 24.0, 7 * 24.0  # hours: the jobs that the service lists at the start, and the end
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY = (day * 24.0 for day in range(6))
REFUSED = {
    "outcome": "FAILED",
    "error_code": "InvalidRequest",
    "source_error": "SPE-5001",
    "crawl_seconds": MINUTE,
    "index_seconds": 0.0,
    "documents": {},
}


@dataclass(frozen=True)
class Episode:
    """The jobs that start within some hours, as they differ from the usual ones; or that none starts."""

    begins: float
    ends: float
    members: dict[str, Any] = field(default_factory=dict)
    without_jobs: bool = False


@dataclass(frozen=True)
class SourcePlan:
    """A data source: the starts and durations of its jobs, the number of its documents, and its episodes."""

    name: str
    starts: Iterable[float]
    minutes: float
    documents: int
    kind: str = "S3"
    schedule: str = ""
    episodes: tuple[Episode, ...] = ()
    created: float = BEFORE
    updated: float = BEFORE

    def source(self, monday: float) -> PlannedSource:
        """Return the data source with all its jobs."""
        source = PlannedSource(
            self.name,
            self.kind,
            schedule=self.schedule,
            created=monday + self.created * HOUR,
            updated=monday + self.updated * HOUR,
        )
        source.plan(list(self._jobs(monday)))
        return source

    def _jobs(self, monday: float) -> Iterator[PlannedJob]:
        """Yield the jobs. As at AWS, they do not overlap, and each starts a little late."""
        dice = random.Random(self.name)
        free_at = -math.inf
        for number, hours in enumerate(sorted(self.starts)):
            episode = next((each for each in self.episodes if each.begins <= hours < each.ends), None)
            started = monday + hours * HOUR + dice.uniform(1, 50)
            if started < free_at or (episode and episode.without_jobs):
                continue
            members = {**self._usual(dice), **(episode.members if episode else {})}
            job = PlannedJob(make_id("job", self.name, number), started, **members)
            free_at = job.ends
            yield job

    def _usual(self, dice: random.Random) -> dict[str, Any]:
        seconds = self.minutes * MINUTE * dice.uniform(0.7, 1.4)
        documents = {"added": dice.randint(0, 3), "modified": dice.randint(0, 9), "deleted": 0, "failed": 0}
        if self.kind != "CUSTOM":
            documents["scanned"] = self.documents
        return {"crawl_seconds": 0.7 * seconds, "index_seconds": 0.3 * seconds, "documents": documents}


def every(minutes: float, begins: float = BEFORE, ends: float = WEEK) -> list[float]:
    """Return starts with this many minutes between them, in hours."""
    return [begins + number * minutes / 60 for number in range(math.ceil((ends - begins) * 60 / minutes))]


def on_workdays(hours: Iterable[float]) -> list[float]:
    """Return a start at these hours of each day from Monday to Friday."""
    days = [24.0 * day for day in range(-7, 7) if day % 7 < 5]
    return [day + hour for day in days for hour in hours]


# None of these data sources needs an alert.
WITHOUT_INCIDENTS = (
    SourcePlan("calendar", every(5), 3, 90, "GOOGLECALENDAR", "cron(0/5 * * * ? *)"),
    # Some syncs take several times as long as the interval, so that firings are left out.
    SourcePlan(
        "tickets",
        every(5),
        3,
        400,
        "SERVICENOWV2",
        "cron(0/5 * * * ? *)",
        tuple(Episode(day + 1, day + 1.1, {"crawl_seconds": 40 * MINUTE}) for day in (MONDAY, WEDNESDAY, FRIDAY)),
    ),
    # One sync a day fails, and the next one succeeds.
    SourcePlan(
        "wiki",
        every(30),
        4,
        1200,
        "CONFLUENCEV2",
        "cron(0/30 * * * ? *)",
        tuple(Episode(24.0 * day + 7, 24.0 * day + 7.5, REFUSED) for day in range(7)),
    ),
    SourcePlan("crm", every(60), 12, 5000, "SALESFORCE", "cron(0 * * * ? *)", (Episode(31, 32, REFUSED),)),
    # The service behind it is down for 40 minutes on two nights.
    SourcePlan(
        "chat",
        every(15),
        5,
        800,
        "SLACK",
        "cron(0/15 * * * ? *)",
        (Episode(TUESDAY + 2, TUESDAY + 2.6, REFUSED), Episode(FRIDAY + 2, FRIDAY + 2.6, REFUSED)),
    ),
    # A few encrypted documents always fail.
    SourcePlan(
        "policies",
        every(30),
        6,
        999,
        episodes=(Episode(BEFORE, WEEK, {"outcome": "INCOMPLETE", "documents": {"scanned": 999, "failed": 6}}),),
        schedule="cron(0/30 * * * ? *)",
    ),
    # Engineers stop it on Wednesday while they change the source, and start it again.
    SourcePlan(
        "intranet",
        every(30),
        10,
        20_000,
        "SHAREPOINTV2",
        "cron(0/30 * * * ? *)",
        (Episode(WEDNESDAY + 14, WEDNESDAY + 15.6, {"outcome": "ABORTED", "documents": {}}),),
    ),
    # Index maintenance delays a sync for 20 hours.
    SourcePlan(
        "archive",
        every(24 * 60, BEFORE + 2),
        90,
        48_000,
        schedule="cron(0 2 * * ? *)",
        episodes=(Episode(THURSDAY, THURSDAY + 24, {"crawl_seconds": HOUR, "index_seconds": 20 * HOUR}),),
    ),
    SourcePlan("handbook", on_workdays([9]), 20, 300, "WEBCRAWLERV2", "cron(0 9 ? * MON-FRI *)"),
    SourcePlan("quarterly", [BEFORE + 1], 30, 700, schedule="cron(0 10 1 1,4,7,10 ? *)"),
    # Pipelines start these. The second one has an objective, because it rests at weekends.
    SourcePlan("builds", every(6 * 60), 4, 0, "CUSTOM"),
    SourcePlan("reports", on_workdays(range(8, 19)), 4, 0, "CUSTOM"),
    # New on Wednesday. Its first sync takes hours, and its schedule starts with it.
    SourcePlan(
        "new",
        [WEDNESDAY + 10.5, *every(60, WEDNESDAY + 11)],
        15,
        9000,
        "ONEDRIVEV2",
        "cron(0 * * * ? *)",
        (
            Episode(
                WEDNESDAY + 10,
                WEDNESDAY + 11,
                {"crawl_seconds": 3 * HOUR, "documents": {"added": 9000, "scanned": 9000, "failed": 0}},
            ),
        ),
        created=WEDNESDAY + 10,
        updated=WEDNESDAY + 10,
    ),
)

# An engineer wants to be notified of each of these.
WITH_INCIDENTS = (
    SourcePlan(
        "expired-token",
        every(30),
        4,
        700,
        "CONFLUENCEV2",
        "cron(0/30 * * * ? *)",
        (Episode(TUESDAY + 14, TUESDAY + 20, REFUSED),),
    ),
    SourcePlan(
        "failed-once",
        every(24 * 60, BEFORE + 3),
        40,
        6000,
        schedule="cron(0 3 * * ? *)",
        episodes=(Episode(WEDNESDAY, THURSDAY, REFUSED),),
    ),
    SourcePlan(
        "rejected",
        every(30),
        5,
        1000,
        schedule="cron(0/30 * * * ? *)",
        episodes=(
            Episode(
                TUESDAY + 9, TUESDAY + 9.5, {"outcome": "INCOMPLETE", "documents": {"scanned": 1000, "failed": 300}}
            ),
        ),
    ),
    SourcePlan(
        "purged",
        every(15),
        3,
        700,
        schedule="cron(0/15 * * * ? *)",
        episodes=(Episode(MONDAY + 30, MONDAY + 30.2, {"documents": {"scanned": 700, "deleted": 300, "failed": 0}}),),
    ),
    SourcePlan(
        "half-filtered",
        every(30),
        5,
        1000,
        schedule="cron(0/30 * * * ? *)",
        episodes=(Episode(FRIDAY, WEEK, {"documents": {"scanned": 80, "added": 0, "deleted": 0, "failed": 0}}),),
    ),
    SourcePlan(
        "connector-gone",
        every(6 * 60),
        4,
        0,
        "CUSTOM",
        episodes=(Episode(WEDNESDAY + 1, WEEK, without_jobs=True),),
    ),
    SourcePlan(
        "schedule-ignored",
        every(60),
        5,
        100,
        schedule="cron(0 * * * ? *)",
        episodes=(Episode(TUESDAY + 1, TUESDAY + 13, without_jobs=True),),
    ),
    SourcePlan(
        "stuck",
        every(24 * 60, BEFORE + 4),
        30,
        900,
        schedule="cron(0 4 * * ? *)",
        episodes=(Episode(WEDNESDAY, WEEK, {"outcome": None, "documents": {"scanned": 900, "added": 5, "failed": 0}}),),
    ),
    SourcePlan(
        "always-stopped",
        every(60),
        5,
        100,
        "CUSTOM",
        episodes=(Episode(MONDAY + 20, WEEK, {"outcome": "ABORTED", "documents": {}}),),
    ),
    SourcePlan(
        "unproductive",
        [THURSDAY + 9],
        10,
        120,
        "SHAREPOINTV2",
        episodes=(Episode(THURSDAY, WEEK, {"documents": {"scanned": 120, "added": 0, "failed": 0}}),),
        created=THURSDAY + 8.5,
        updated=THURSDAY + 8.5,
    ),
)


def make_fleet(plans: Iterable[SourcePlan], monday: float) -> Fleet:
    """Return a fleet of these data sources, whose week begins on a Monday."""
    index = SimulatedIndex("main", [plan.source(monday) for plan in plans], units=5, documents=60_000)
    return Fleet([SimulatedApplication("intranet", [index])])
