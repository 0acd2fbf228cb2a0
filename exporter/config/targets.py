"""The part of the schema of a target that all services share. `service_models.py` adds the words of each."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, model_validator

from exporter.config.section import Section
from exporter.config.types import Duration, Glob, Labels, Name, Pairs, QueueUrl, Region, RoleArn, TagGlobs, TagKey, Url
from exporter.domain.model import SourceId
from exporter.domain.service import Service
from exporter.domain.units import DAY, MINUTE
from exporter.providers.registry import DEFAULT_SERVICE, SERVICES


class DataSourceConfig(Section):
    """A data source to watch."""

    service: ClassVar[Service] = DEFAULT_SERVICE
    name: Name | None = Field(None, description="Display name of the data source; default: its name in AWS.")
    labels: Labels = Field(default_factory=Pairs, description="Exposed on …_data_source_info as label_NAME.")

    @property
    def path(self) -> tuple[str, ...]:
        """The ids from the outermost container to the data source."""
        return tuple(getattr(self, level.key) for level in self.service.levels)

    @property
    def root(self) -> str | None:
        """The display name of the outermost container, if it is set."""
        name: str | None = getattr(self, self.service.root.word)
        return name


class Matcher(Section):
    """Globs that select data sources; a data source must match every key that is set."""

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
    tag_labels: tuple[TagKey, ...] = Field((), description="Tags exposed on …_data_source_info as tag_NAME.")


class EventsConfig(Section):
    """A queue of events that say which data sources to poll immediately."""

    queue_url: QueueUrl = Field(
        description="URL of an SQS queue that an EventBridge rule fills with the calls that start or stop a sync."
    )


class TargetConfig(Section):
    """A service in an AWS account and region."""

    name: Name | None = Field(
        None,
        description="Used in logs, messages and the target label; default: the region, or region/service for a service "
        f"other than {DEFAULT_SERVICE.name}.",
    )
    service_name: str = Field(
        DEFAULT_SERVICE.name,
        alias="service",
        description=f"Service to watch: {', '.join(SERVICES)}; default: {DEFAULT_SERVICE.name}.",
    )
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
        description="A queue of events that say which data sources to poll immediately; default: none.",
    )

    @property
    def service(self) -> Service:
        """The service of the target."""
        return SERVICES[self.service_name]

    def source_id(self, source: DataSourceConfig) -> SourceId:
        """Return the identity of one of the target's data sources."""
        return SourceId(self.service, source.path)

    @model_validator(mode="before")
    @classmethod
    def _enable_discovery_by_default(cls, data: Any) -> Any:  # noqa: ANN401 (the file may have anything)
        """Enable discovery if there are no data sources, or if the key is present without a value."""
        if isinstance(data, dict) and not data.get("data_sources") and data.get("discovery") is None:
            return {**data, "discovery": {}}
        if isinstance(data, dict) and "discovery" in data and data["discovery"] is None:
            return {**data, "discovery": {}}
        return data
