"""The schema of the configuration: every key, its default and its meaning."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from exporter.config.section import Section
from exporter.config.service_models import TARGETS, AnyMatch, AnyTarget
from exporter.config.types import (
    Buckets,
    DatabaseUrl,
    Duration,
    FilePath,
    Flag,
    Glob,
    IntervalOrNever,
    Number,
    WholeNumber,
)
from exporter.domain.counting.counting_policy import DEFAULT_BUCKETS
from exporter.domain.units import DAY, MINUTE
from exporter.providers.registry import DEFAULT_SERVICE


class PollingConfig(Section):
    """Poll intervals, and limits for requests to AWS."""

    interval: Duration = Field(
        MINUTE,
        ge=0.1,
        le=DAY,
        description="Poll interval of a data source with a sync in progress, or with a scheduled sync that is due.",
    )
    idle_interval: Duration = Field(
        default_factory=lambda polling: max(5 * MINUTE, polling.get("interval", 0.0)),
        ge=0.1,
        le=DAY,
        description="Poll interval of a data source without a sync in progress; default: 5m, or 30m while the events "
        "of its target can be read, or `interval` if that is longer.",
    )
    window: Duration = Field(
        DAY,
        ge=MINUTE,
        le=90 * DAY,
        description="Time range of …_sync_jobs, which counts the jobs that started within it.",
    )
    concurrency: WholeNumber = Field(8, ge=1, le=256, description="Concurrent requests, per target.")
    requests_per_second: Number = Field(
        5.0,
        ge=0.01,
        le=1000,
        description="Maximum request rate per target, including SDK retries; may be a fraction.",
    )
    timeout: Duration = Field(20.0, ge=0.1, le=10 * MINUTE, description="Timeout of one request.")

    @property
    def idle_interval_with_events(self) -> float:
        """The poll interval of an idle data source while the events of its target can be read."""
        is_set = "idle_interval" in self.model_fields_set
        return self.idle_interval if is_set else max(30 * MINUTE, self.interval)


class DocumentsConfig(Section):
    """The counts of documents by status."""

    interval: IntervalOrNever = Field(
        0.0,
        le=365 * DAY,
        description="Time between two counts of the documents of each data source by status; 0s: never.",
    )


class ObjectiveConfig(Section):
    """Alert thresholds for data sources."""

    match: AnyMatch = Field(
        default_factory=AnyMatch, description="Data sources that the thresholds apply to; default: all."
    )
    expected_every: Annotated[Duration, Field(ge=MINUTE, le=365 * DAY)] | None = Field(
        None,
        description="Maximum time between the starts of two syncs, however they are started; default: none.",
    )
    max_success_age: Annotated[Duration, Field(ge=MINUTE, le=365 * DAY)] | None = Field(
        None,
        description="Maximum time since a successful sync; default: twice the longest gap of the schedule, or "
        "expected_every, plus 1h.",
    )
    max_duration: Annotated[Duration, Field(ge=1.0, le=365 * DAY)] | None = Field(
        None,
        description="Maximum duration of a sync; default: 1d.",
    )
    max_failed_ratio: Annotated[Number, Field(ge=0, le=1)] | None = Field(
        None,
        description="Maximum ratio of failed documents to scanned documents; default: 0.05.",
    )
    min_documents_scanned: Annotated[WholeNumber, Field(ge=0, le=10**12)] | None = Field(
        None,
        description="Minimum number of documents scanned by a successful sync; default: 1.",
    )
    min_index_documents: Annotated[WholeNumber, Field(ge=0, le=10**12)] | None = Field(
        None,
        description="Minimum number of documents in the index that the data source feeds; the highest minimum of its "
        "data sources applies; default: none.",
    )


class StateConfig(Section):
    """Storage of the state, which keeps counters across restarts."""

    path: FilePath = Field(
        "state.db", description="SQLite file, relative to the working directory; `:memory:` keeps no state."
    )
    url: DatabaseUrl | None = Field(
        None,
        description="PostgreSQL database that any number of replicas share, instead of path, with the parameters of "
        "libpq.",
    )
    password_file: FilePath | None = Field(
        None,
        description="File with the password for url, reread for each connection; PGPASSWORD and .pgpass work too.",
    )
    iam_auth: Flag = Field(
        default=False, description="Use an IAM token as the password for url, a new one for each connection (RDS)."
    )


class MetricsConfig(Section):
    """Settings of metrics."""

    duration_buckets: Buckets = Field(
        DEFAULT_BUCKETS,
        description="Buckets of …_sync_job_duration_seconds.",
    )
    exclude: tuple[Glob, ...] = Field(
        (), description="Globs for the names of metric families to omit. `plan` lists the series that this saves."
    )


class Config(Section):
    """The whole configuration."""

    targets: tuple[AnyTarget, ...] = Field(
        (TARGETS[DEFAULT_SERVICE.name](),),
        description="Services in AWS accounts and regions to watch; default: Amazon Q Business in the region and with "
        "the credentials of the SDK.",
    )
    documents: DocumentsConfig = Field(DocumentsConfig(), description="Document counts by status.")
    polling: PollingConfig = Field(PollingConfig(), description="Poll intervals, and limits for requests to AWS.")
    objectives: tuple[ObjectiveConfig, ...] = Field(
        (), description="Alert thresholds for data sources; the first entry that matches applies."
    )
    state: StateConfig = Field(StateConfig(), description="Storage of the state, which keeps counters across restarts.")
    metrics: MetricsConfig = Field(MetricsConfig(), description="Settings for metrics.")

    @property
    def objective_tags(self) -> frozenset[str]:
        """The keys of the tags that objectives match on."""
        return frozenset(key for objective in self.objectives for key in objective.match.tags)
