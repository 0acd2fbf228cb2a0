"""The schema of the configuration: every key, its default and its meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from exporter.config.types import (
    Buckets,
    DatabaseUrl,
    Duration,
    Flag,
    Glob,
    Identifier,
    IntervalOrNever,
    LabelGlobs,
    Labels,
    Name,
    Number,
    Pairs,
    QueueUrl,
    Region,
    RoleArn,
    TagGlobs,
    TagKey,
    Url,
    WholeNumber,
)
from exporter.domain.model import SourceId
from exporter.domain.units import DAY, HOUR, MINUTE
from exporter.providers.registry import DEFAULT_SERVICE, SERVICES

if TYPE_CHECKING:
    from exporter.domain.service import Service


class Section(BaseModel):
    """A section of a configuration file: immutable, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _drop_empty_keys(cls, data: object) -> object:
        """Treat a key without a value as an absent key."""
        if isinstance(data, dict):
            return {key: value for key, value in data.items() if value is not None}
        return {} if data is None else data


class DataSourceConfig(Section):
    """A data source to watch."""

    application_id: Identifier = Field(description="Id of the application, 36 characters.")
    index_id: Identifier = Field(description="Id of the index, 36 characters.")
    data_source_id: Identifier = Field(description="Id of the data source, 36 characters.")
    application: Name | None = Field(None, description="Display name of the application; default: its name in AWS.")
    name: Name | None = Field(None, description="Display name of the data source; default: its name in AWS.")
    labels: Labels = Field(default_factory=Pairs, description="Exposed on qbusiness_data_source_info as label_NAME.")

    @property
    def path(self) -> tuple[str, ...]:
        """The ids from the outermost container to the data source."""
        return self.application_id, self.index_id, self.data_source_id

    @property
    def root(self) -> str | None:
        """The display name of the outermost container, if it is set."""
        return self.application


class Matcher(Section):
    """Globs that select data sources; a data source must match every key that is set."""

    application: Glob | None = Field(None, description="Glob for the display name of the application.")
    index: Glob | None = Field(None, description="Glob for the display name of the index.")
    data_source: Glob | None = Field(None, description="Glob for the display name of the data source.")
    type: Glob | None = Field(None, description="Glob for the type of the data source, such as SHAREPOINT*.")
    tags: TagGlobs = Field(
        default_factory=Pairs, description="Tags of the data source: tag key, and glob for its value."
    )

    @property
    def globs(self) -> dict[str, str]:
        """The globs that are set, by their keys, without those for tags."""
        return {key: value for key, value in self if isinstance(value, str)}


class DiscoveryConfig(Section):
    """How data sources are discovered."""

    interval: Duration = Field(15 * MINUTE, ge=0.1, le=7 * DAY, description="Time between two discovery runs.")
    include: tuple[Matcher, ...] = Field(
        (), description="Watch only data sources that match an entry; empty: watch all."
    )
    exclude: tuple[Matcher, ...] = Field((), description="Do not watch data sources that match an entry.")
    tag_labels: tuple[TagKey, ...] = Field((), description="Tags exposed on qbusiness_data_source_info as tag_NAME.")


class EventsConfig(Section):
    """A queue of events that say which data sources to poll at once."""

    queue_url: QueueUrl = Field(
        description="URL of an SQS queue that an EventBridge rule fills with the calls that start or stop a sync."
    )


class TargetConfig(Section):
    """An AWS account and region."""

    name: Name | None = Field(None, description="Used in logs, messages and the target label; default: the region.")
    region: Region | None = Field(None, description="AWS region; default: the region of the SDK (AWS_REGION, profile).")
    role_arn: RoleArn | None = Field(None, description="Role to assume through STS.")
    external_id: Name | None = Field(None, description="External id that the role requires.")
    profile: Name | None = Field(None, description="Profile in the shared configuration files of the SDK.")
    endpoint_url: Url | None = Field(None, description="Endpoint, such as a VPC endpoint; default: the AWS endpoint.")
    data_sources: tuple[DataSourceConfig, ...] = Field((), description="Data sources to watch, by id.")
    discovery: DiscoveryConfig | None = Field(
        None,
        description="How data sources are discovered; enabled by default if data_sources is empty.",
    )
    events: EventsConfig | None = Field(
        None,
        description="A queue of events that say which data sources to poll at once; default: none.",
    )

    @property
    def service(self) -> Service:
        """The service of the target."""
        return DEFAULT_SERVICE

    def source_id(self, source: DataSourceConfig) -> SourceId:
        """Return the identity of one of the target's data sources."""
        return SourceId(self.service, source.path)

    @model_validator(mode="before")
    @classmethod
    def _enable_discovery_by_default(cls, data: Any) -> Any:  # noqa: ANN401 (whatever the file has)
        """Enable discovery if there are no data sources, or if the key is present without a value."""
        if isinstance(data, dict) and not data.get("data_sources") and data.get("discovery") is None:
            return {**data, "discovery": {}}
        if isinstance(data, dict) and "discovery" in data and data["discovery"] is None:
            return {**data, "discovery": {}}
        return data


class PollingConfig(Section):
    """Poll intervals, and limits for requests to AWS."""

    interval: Duration = Field(
        MINUTE,
        ge=0.1,
        le=DAY,
        description="Poll interval of a data source with a sync in progress, or with a sync due by its schedule.",
    )
    idle_interval: Duration = Field(
        default_factory=lambda polling: max(5 * MINUTE, polling.get("interval", 0.0)),
        ge=0.1,
        le=DAY,
        description="Poll interval of a data source without a sync in progress; default: 5m, or 30m while the events "
        "of its target can be read, or interval if longer.",
    )
    window: Duration = Field(
        DAY,
        ge=MINUTE,
        le=90 * DAY,
        description="qbusiness_sync_jobs counts the jobs that started within this time.",
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
        """The poll interval of a quiet data source while the events of its target can be read."""
        is_set = "idle_interval" in self.model_fields_set
        return self.idle_interval if is_set else max(30 * MINUTE, self.interval)


class DocumentsConfig(Section):
    """The counts of documents by status."""

    interval: IntervalOrNever = Field(
        0.0,
        le=365 * DAY,
        description="Time between two counts of the documents of each data source by status; 0s: never.",
    )


class ObjectiveMatch(Section):
    """Globs that select data sources; a data source must match every key that is set."""

    service: Glob | None = Field(None, description=f"Glob for the service: {', '.join(SERVICES)}.")
    application: Glob | None = Field(None, description="Glob for the display name of the application.")
    index: Glob | None = Field(None, description="Glob for the display name of the index.")
    data_source: Glob | None = Field(None, description="Glob for the display name of the data source.")
    data_source_id: Glob | None = Field(None, description="Glob for the id of the data source.")
    type: Glob | None = Field(None, description="Glob for the type of the data source.")
    labels: LabelGlobs = Field(
        default_factory=Pairs, description="Labels of the data source: label name, and glob for its value."
    )
    tags: TagGlobs = Field(
        default_factory=Pairs, description="Tags of the data source: tag key, and glob for its value."
    )

    @property
    def containers(self) -> dict[str, str]:
        """The globs for the display names of containers that are set, by their words."""
        words = {level.word for service in SERVICES.values() for level in service.containers}
        return {key: value for key, value in self if key in words and isinstance(value, str)}


class ObjectiveConfig(Section):
    """Alert thresholds for data sources."""

    match: ObjectiveMatch = Field(
        default_factory=ObjectiveMatch, description="Data sources that the thresholds apply to; default: all."
    )
    expected_every: Annotated[Duration, Field(ge=MINUTE, le=365 * DAY)] | None = Field(
        None,
        description="A sync is expected to start at least this often, however it is started; default: none.",
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

    path: Name = Field(
        "state.db", description="SQLite file, relative to the working directory; `:memory:` keeps no state."
    )
    url: DatabaseUrl | None = Field(
        None,
        description="PostgreSQL database that any number of replicas share, instead of path, with the parameters of "
        "libpq.",
    )
    password_file: Name | None = Field(
        None,
        description="File with the password for url, read for each connection; PGPASSWORD and .pgpass work too.",
    )
    iam_auth: Flag = Field(
        default=False, description="Use an IAM token as the password for url, a new one for each connection (RDS)."
    )


class MetricsConfig(Section):
    """Settings of metrics."""

    duration_buckets: Buckets = Field(
        (MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY),
        description="Buckets of qbusiness_sync_job_duration_seconds.",
    )
    exclude: tuple[Glob, ...] = Field(
        (), description="Metric families that are not exposed: globs for their names. `plan` lists what that saves."
    )


class Config(Section):
    """The whole configuration."""

    targets: tuple[TargetConfig, ...] = Field(
        (TargetConfig(),),
        description="AWS accounts and regions to watch; default: the region and the credentials of the SDK.",
    )
    documents: DocumentsConfig = Field(DocumentsConfig(), description="The counts of documents by status.")
    polling: PollingConfig = Field(PollingConfig(), description="Poll intervals, and limits for requests to AWS.")
    objectives: tuple[ObjectiveConfig, ...] = Field(
        (), description="Alert thresholds for data sources; the first entry that matches applies."
    )
    state: StateConfig = Field(StateConfig(), description="Storage of the state, which keeps counters across restarts.")
    metrics: MetricsConfig = Field(MetricsConfig(), description="Settings of metrics.")

    @property
    def objective_tags(self) -> frozenset[str]:
        """The keys of the tags that objectives match on."""
        return frozenset(key for objective in self.objectives for key in objective.match.tags)
