"""The configuration's schema: every key, its default, and what it means."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from exporter.config.types import (
    Buckets,
    Duration,
    Glob,
    Identifier,
    LabelGlobs,
    Labels,
    Name,
    Number,
    Pairs,
    Region,
    RoleArn,
    TagGlobs,
    TagKey,
    Url,
    WholeNumber,
)
from exporter.domain.units import DAY, HOUR, MINUTE


class Section(BaseModel):
    """A part of the configuration: unchangeable, and without keys that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, data: object) -> object:
        """Take a key with nothing behind it for a key that is not there."""
        if isinstance(data, dict):
            return {key: value for key, value in data.items() if value is not None}
        return {} if data is None else data


class DataSourceConfig(Section):
    """A data source to watch."""

    application_id: Identifier = Field(description="Id of the application, 36 characters.")
    index_id: Identifier = Field(description="Id of the index, 36 characters.")
    data_source_id: Identifier = Field(description="Id of the data source, 36 characters.")
    application: Name | None = Field(None, description="Display name of the application; default: AWS's.")
    name: Name | None = Field(None, description="Display name of the data source; default: AWS's.")
    labels: Labels = Field(default_factory=Pairs, description="Shown on qbusiness_data_source_info as label_NAME.")


class Matcher(Section):
    """What a data source has to match, by globs; all that are given must match."""

    application: Glob | None = Field(None, description="Glob on the application's display name.")
    index: Glob | None = Field(None, description="Glob on the index's display name.")
    data_source: Glob | None = Field(None, description="Glob on the data source's display name.")
    type: Glob | None = Field(None, description="Glob on the data source's type, such as SHAREPOINT*.")
    tags: TagGlobs = Field(default_factory=Pairs, description="Tags that the data source must have: key and glob.")


class DiscoveryConfig(Section):
    """How data sources are found."""

    interval: Duration = Field(15 * MINUTE, ge=0.1, le=7 * DAY, description="How often to look for them.")
    include: tuple[Matcher, ...] = Field((), description="Watch only what matches one of these; empty: everything.")
    exclude: tuple[Matcher, ...] = Field((), description="Never watch what matches one of these.")
    tag_labels: tuple[TagKey, ...] = Field((), description="Tags shown on qbusiness_data_source_info as tag_NAME.")


class TargetConfig(Section):
    """An AWS account and region."""

    name: Name | None = Field(None, description="Shown in logs, messages and the target label; default: the region.")
    region: Region | None = Field(None, description="AWS region; default: the SDK's own (AWS_REGION, profile).")
    role_arn: RoleArn | None = Field(None, description="Role to assume through STS.")
    external_id: Name | None = Field(None, description="External id that the role asks for.")
    profile: Name | None = Field(None, description="Profile of the SDK's shared configuration.")
    endpoint_url: Url | None = Field(None, description="Endpoint instead of AWS's own, such as a VPC endpoint.")
    data_sources: tuple[DataSourceConfig, ...] = Field((), description="Data sources to watch, named one by one.")
    discovery: DiscoveryConfig | None = Field(
        None,
        description="How data sources are found; on by default for a target that names none.",
    )

    @model_validator(mode="before")
    @classmethod
    def _discover_by_default(cls, data: Any) -> Any:  # noqa: ANN401 (whatever the file has)
        if isinstance(data, dict) and not data.get("data_sources") and data.get("discovery") is None:
            return {**data, "discovery": {}}
        if isinstance(data, dict) and "discovery" in data and data["discovery"] is None:
            return {**data, "discovery": {}}
        return data


class PollingConfig(Section):
    """How often and how hard AWS is asked."""

    interval: Duration = Field(
        MINUTE,
        ge=0.1,
        le=DAY,
        description="Between two polls of a data source with a sync in progress, or one due by its schedule.",
    )
    idle_interval: Duration = Field(
        default_factory=lambda polling: max(5 * MINUTE, polling.get("interval", 0.0)),
        ge=0.1,
        le=DAY,
        description="Between two polls of a data source with nothing in progress; default: 5m, or interval if longer.",
    )
    window: Duration = Field(DAY, ge=MINUTE, le=90 * DAY, description="What qbusiness_sync_jobs counts.")
    concurrency: WholeNumber = Field(8, ge=1, le=256, description="Requests in flight at once, per target.")
    requests_per_second: Number = Field(
        5.0,
        ge=0.01,
        le=1000,
        description="Ceiling per target, retries of the SDK included; may be a fraction.",
    )
    timeout: Duration = Field(20.0, ge=0.1, le=10 * MINUTE, description="How long one request may take.")


class ObjectiveMatch(Section):
    """Which data sources an objective is for, by globs; all that are given must match."""

    application: Glob | None = Field(None, description="Glob on the application's display name.")
    data_source: Glob | None = Field(None, description="Glob on the data source's display name.")
    type: Glob | None = Field(None, description="Glob on the data source's type.")
    labels: LabelGlobs = Field(
        default_factory=Pairs, description="Labels that the data source must have: name and glob."
    )


class ObjectiveConfig(Section):
    """What the alerts hold data sources to."""

    match: ObjectiveMatch = Field(default_factory=ObjectiveMatch, description="Which data sources; default: every one.")
    max_success_age: Annotated[Duration, Field(ge=MINUTE, le=365 * DAY)] | None = Field(
        None,
        description="Longest time since a successful sync; default: twice the longest gap of the schedule plus 1h.",
    )
    max_duration: Annotated[Duration, Field(ge=1.0, le=365 * DAY)] | None = Field(
        None,
        description="Longest time that a sync may take; default: 1d.",
    )
    max_failed_ratio: Annotated[Number, Field(ge=0, le=1)] | None = Field(
        None,
        description="Largest share of failed documents among scanned ones; default: 0.05.",
    )
    min_documents_scanned: Annotated[WholeNumber, Field(ge=0, le=10**12)] | None = Field(
        None,
        description="A successful sync that scanned fewer documents is suspicious; default: 1.",
    )


DEFAULT_OBJECTIVE = ObjectiveConfig.model_validate(
    {"max_duration": "1d", "max_failed_ratio": 0.05, "min_documents_scanned": 1},
)
"""What stands behind every objective; its max_success_age follows from a data source's schedule."""


class StateConfig(Section):
    """Where counters survive a restart."""

    path: Name = Field("state.db", description="SQLite file, relative to the working directory; `:memory:` for none.")


class MetricsConfig(Section):
    """How metrics are made."""

    duration_buckets: Buckets = Field(
        (60.0, 300.0, 900.0, 1800.0, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY),
        description="Bounds of qbusiness_sync_job_duration_seconds.",
    )


class Config(Section):
    """The whole configuration."""

    targets: tuple[TargetConfig, ...] = Field(
        (TargetConfig(),),
        description="AWS accounts and regions to watch; default: the SDK's own region and credentials.",
    )
    polling: PollingConfig = Field(PollingConfig(), description="How often and how hard AWS is asked.")
    objectives: tuple[ObjectiveConfig, ...] = Field(
        (), description="What alerts hold data sources to; first match wins."
    )
    state: StateConfig = Field(StateConfig(), description="Where counters survive a restart.")
    metrics: MetricsConfig = Field(MetricsConfig(), description="How metrics are made.")
