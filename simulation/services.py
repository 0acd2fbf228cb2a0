"""The differences between the services in a simulated week: ids, words, limits, and how a service reports a job."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from exporter.domain.service import Use
from exporter.domain.units import HOUR, MINUTE
from exporter.providers.registry import SERVICES
from exporter.simulator.apis import APIS
from exporter.simulator.bedrock_jobs import wire_id
from exporter.simulator.fleet import make_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.domain.service import Service
    from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex
    from exporter.simulator.job import PlannedJob

CRON_SCHEDULES = ("", "cron(0 2 * * ? *)", "cron(0 * * * ? *)", "cron(30 10 ? * TUE,FRI *)", "hourly")
IGNORED = "Ignored 3 files as the associated metadata was larger than the limit"
# The uses of operations that faults select, apart from that of sync jobs, in the order of the random choice.
FAULTY_USES = (
    Use.LIST_CONTAINERS,
    Use.CONTAINER,
    Use.LIST_SOURCES,
    Use.SOURCE,
    Use.SYNC_JOB,
    Use.CONTAINER_NAME,
    Use.TAGS,
)


@dataclass(frozen=True, slots=True)
class UnitCapacity:
    """The limits of an index: those of each of its units, and of `base` more."""

    documents: int
    text_bytes: int
    base: int = 0

    def limits(self, units: int) -> tuple[int, int]:
        """Return the limits on documents and bytes of text of an index with some units."""
        return (self.base + units) * self.documents, (self.base + units) * self.text_bytes


@dataclass(frozen=True, eq=False, slots=True)
class ServiceTraits:
    """A service and its peculiarities.

    `capacity` is None if the service reports no sizes of an index. `container_statuses` are those that an index may
    have. In busy times, a source is synced once in each of `busy_periods` seconds. A `long_share` of the syncs takes so
    long that the next one may begin meanwhile. `reported` changes a planned job so that its outcome is the one that the
    exporter has to expose.
    """

    service: Service
    index_kind: str
    source_kinds: tuple[str, ...]
    schedules: tuple[str, ...] = CRON_SCHEDULES
    capacity: UnitCapacity | None = None
    container_statuses: tuple[str, ...] = ("ACTIVE",)
    kinds_without_jobs: frozenset[str] = frozenset()
    busy_periods: tuple[float, float] = (5 * MINUTE, 20 * MINUTE)
    long_share: float = 0.05
    wire_id: Callable[[str], str] = str
    reported: Callable[[PlannedJob], PlannedJob] = lambda job: job

    def make_id(self, *parts: object) -> str:
        """Return an id in the form of the service, always the same one for the same parts."""
        return self.wire_id(make_id(*parts))

    def make_api(self, fleet: Fleet, **listing: str) -> Any:
        """Return the API of the service over a fleet."""
        return APIS[self.service.name](fleet, **listing)

    @property
    def sync_jobs(self) -> str:
        """The operation that lists sync jobs."""
        return self.service.action(Use.SYNC_JOBS)

    @property
    def fault_operations(self) -> tuple[str, ...]:
        """The operations that faults select."""
        permissions = self.service.permissions
        return tuple(each.action for use in FAULTY_USES for each in permissions if each.use is use)

    def roots(self, fleet: Fleet) -> Sequence[SimulatedApplication | SimulatedIndex]:
        """Return the outermost containers of a fleet: the applications, or the indexes of a service without any."""
        indexes = [index for application in fleet.applications for index in application.indexes]
        return fleet.applications if len(self.service.containers) > 1 else indexes

    def root_name(self, application: SimulatedApplication, index: SimulatedIndex) -> str:
        """Return the name of the outermost container of an index, which may be the index itself."""
        return application.name if len(self.service.containers) > 1 else index.name

    def ids(
        self, application: SimulatedApplication, index: SimulatedIndex, source: SimulatedDataSource
    ) -> dict[str, str]:
        """Return the ids that name a data source in a configuration."""
        path = (application.id, index.id, source.id)[-len(self.service.levels) :]
        return {level.key: identifier for level, identifier in zip(self.service.levels, path, strict=True)}

    def key(self, application: SimulatedApplication, index: SimulatedIndex, source: SimulatedDataSource) -> str:
        """Return the key of a data source in the state."""
        return self.service.key_prefix + "/".join(self.ids(application, index, source).values())


def _as_ingested(job: PlannedJob) -> PlannedJob:
    """Return a job as Amazon Bedrock reports it.

    A COMPLETE job succeeded only if no document failed and it has no reasons. All others are incomplete. Jobs have no
    phases, and their counts grow until the end.
    """
    message, documents = job.error_message, job.documents
    if job.outcome == "SUCCEEDED":
        documents = {**documents, "failed": 0}
    elif job.outcome == "INCOMPLETE":
        message = IGNORED
    if job.outcome not in {"ABORTED", None}:
        seconds = job.crawl_seconds + job.stopping_seconds + job.index_seconds
        job = replace(job, crawl_seconds=seconds, stopping_seconds=0.0, index_seconds=0.0)
    return replace(job, documents=documents, error_message=message)


QBUSINESS = ServiceTraits(
    SERVICES["qbusiness"],
    "ENTERPRISE",
    ("S3", "WEBCRAWLERV2", "SHAREPOINTV2", "CONFLUENCEV2", "CUSTOM"),
    capacity=UnitCapacity(20_000, 200_000_000),
)
KENDRA = ServiceTraits(
    SERVICES["kendra"],
    "ENTERPRISE_EDITION",
    ("S3", "WEBCRAWLER", "TEMPLATE:SHAREPOINTV2", "TEMPLATE:CONFLUENCEV2", "CUSTOM"),
    capacity=UnitCapacity(100_000, 30_000_000_000, base=1),
    container_statuses=("ACTIVE", "SYSTEM_UPDATING", "UPDATING"),
)
BEDROCK = ServiceTraits(
    SERVICES["bedrock"],
    "MANAGED",
    ("S3", "WEB", "MANAGED:SHAREPOINT", "MANAGED:CONFLUENCE", "CUSTOM"),
    schedules=(
        "",
        '{"daily": {}}',
        '{"weekly": {"dayOfWeek": "MONDAY"}}',
        '{"monthly": {"dayOfMonth": {"dayNumber": 1}}}',
    ),
    container_statuses=("ACTIVE", "UPDATING", "UPDATE_UNSUCCESSFUL"),
    kinds_without_jobs=frozenset({"CUSTOM"}),
    busy_periods=(30 * MINUTE, 2 * HOUR),  # each of the jobs takes a request
    long_share=0.2,
    wire_id=wire_id,
    reported=_as_ingested,
)
ALL = {traits.service.name: traits for traits in (QBUSINESS, KENDRA, BEDROCK)}


def traits_for(seed: int, name: str | None = None) -> ServiceTraits:
    """Return the service with a name, or the one of a seed."""
    # Random numbers of its own, so that the rest of a week depends on the service and not on how it was chosen.
    dice = random.Random(f"{seed} service")  # noqa: S311 (a simulation that repeats)
    return ALL[name] if name else dice.choice(list(ALL.values()))
