"""An AWS service as data: the words for its resources, their ids, and the IAM actions that the exporter uses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from exporter.domain.service_texts import ConsolePaths, ExampleSource, Members, OperatorTerms

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Level:
    """A level of resources, such as the indexes of an application.

    `word` is its name in keys and labels, and `arn_kind` its name in ARNs. `id_pattern` is a regular expression without
    anchors, and `id_rule` describes it to readers.
    """

    word: str
    plural: str
    arn_kind: str
    id_pattern: str
    id_rule: str

    @property
    def key(self) -> str:
        """The name of the id in keys and labels, such as `index_id`."""
        return f"{self.word}_id"

    @property
    def text(self) -> str:
        """The word in a sentence, such as `data source`."""
        return self.word.replace("_", " ")

    def counted(self, count: int) -> str:
        """Return a number of these resources in a sentence, such as `1 index`."""
        return f"{count} {self.text if count == 1 else self.plural}"


class Use(Enum):
    """The purpose of an action."""

    LIST_CONTAINERS = auto()
    CONTAINER_NAME = auto()
    CONTAINER = auto()
    LIST_SOURCES = auto()
    SOURCE = auto()
    SYNC_JOBS = auto()
    SYNC_JOB = auto()
    TAGS = auto()
    DOCUMENTS = auto()


@dataclass(frozen=True, slots=True)
class Permission:
    """An IAM action, and the depth of its resources: 0 for all of them, 1 for an outermost container.

    `reads` describes what the exporter reads from the response, if that differs between services, in the words of their
    documentation.
    """

    action: str
    use: Use
    depth: int
    reads: str = ""


@dataclass(frozen=True, slots=True)
class ArnScope:
    """The partition, region and account of a target's resources. An unknown account is `*`."""

    partition: str
    region: str
    account: str

    @classmethod
    def of(cls, arn: str) -> ArnScope | None:
        """Return the scope of an ARN; None if the text is not an ARN."""
        parts = arn.split(":")
        return cls(parts[1], parts[3], parts[4]) if len(parts) > 5 and parts[0] == "arn" else None  # noqa: PLR2004 (the parts of an ARN)


@dataclass(frozen=True, slots=True)
class SyncEvents:
    """The events of EventBridge about calls that start or stop a sync, which CloudTrail sends.

    `source` is the source of the event, and `event_source` the source of the CloudTrail record in it. `id_parameters`
    are the members of `requestParameters` with the ids, from the outermost container to the data source.
    """

    source: str
    event_source: str
    id_parameters: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Service:
    """An AWS service whose data sources can be watched. Two services are equal only if they are the same object.

    `name` is its name in the configuration, `client` in boto3, and `iam` in IAM actions and ARNs.
    `least_botocore` is the oldest version that its provider works with.
    Names of its alerts begin with `alert_prefix`.
    `levels` are its resources from the outermost container to the data source. Keys in the state and in the exposition
    begin with `key_prefix`, so that ids of two services never have the same key.
    """

    name: str
    title: str
    client: str
    least_botocore: str
    iam: str
    alert_prefix: str
    key_prefix: str
    levels: tuple[Level, ...]
    permissions: tuple[Permission, ...]
    regions: tuple[str, ...]
    """The types in the AWS documentation; empty if the list changes too often for a warning."""
    members: Members
    terms: OperatorTerms
    sync_events: SyncEvents
    error_codes: tuple[str, ...]
    source_statuses: tuple[str, ...]
    container_types: tuple[str, ...]
    """The documented statuses; the API may return others."""
    container_statuses: tuple[str, ...]
    healthy_statuses: frozenset[str]
    """The statuses of data sources and containers in which documents are synced as usual."""
    page_size: int
    """The largest page of sync jobs and data sources."""
    document_page_size: int
    """The largest page of documents."""
    example: ExampleSource
    document_statuses: tuple[str, ...] = ()
    console: ConsolePaths = field(default_factory=ConsolePaths)
    background_operations: frozenset[str] = frozenset()
    """Operations whose requests never delay other requests."""

    def __repr__(self) -> str:
        """Return the name."""
        return self.name

    @property
    def containers(self) -> tuple[Level, ...]:
        """The levels above the data source, the outermost first."""
        return self.levels[:-1]

    @property
    def root(self) -> Level:
        """The level of the outermost containers."""
        return self.levels[0]

    @property
    def container(self) -> Level:
        """The level of the containers that data sources belong to."""
        return self.levels[-2]

    @property
    def healthy_source_statuses(self) -> tuple[str, ...]:
        """The statuses of data sources in which documents are synced as usual, in the order of the API."""
        return tuple(status for status in self.source_statuses if status in self.healthy_statuses)

    @property
    def healthy_container_statuses(self) -> tuple[str, ...]:
        """The statuses of containers in which documents are synced as usual, in the order of the API."""
        return tuple(status for status in self.container_statuses if status in self.healthy_statuses)

    def command(self, action: str) -> str:
        """Return the command of the AWS CLI for an action, such as `aws qbusiness get-index`."""
        return f"aws {self.client} {re.sub('(?<=[a-z])(?=[A-Z])', '-', action).lower()}"

    @property
    def data_source_dashboard(self) -> str:
        """The uid of the Grafana dashboard of a data source, which alerts link to."""
        return f"{self.name}-data-source"

    def alert(self, kind: str) -> str:
        """Return the name of an alert of the service; `Container` in `name` stands for the word of its containers.

        `ContainerNotActive` is `QBusinessIndexNotActive` for the indexes of Amazon Q Business.
        """
        container = "".join(part.capitalize() for part in self.container.word.split("_"))
        return f"{self.alert_prefix}{kind.replace('Container', container)}"

    @property
    def optional_operations(self) -> frozenset[str]:
        """The operations whose permissions may be left out. Discovery and polling work without them."""
        needed = {Use.SYNC_JOBS, Use.LIST_CONTAINERS, Use.LIST_SOURCES}
        return frozenset(permission.action for permission in self.permissions if permission.use not in needed)

    @property
    def sync_operations(self) -> frozenset[str]:
        """The operations that start and stop a sync job."""
        return frozenset({self.terms.start_sync, self.terms.stop_sync})

    def action(self, use: Use) -> str:
        """Return the action that the exporter uses for a purpose."""
        return next(permission.action for permission in self.permissions if permission.use is use)

    def depth(self, use: Use) -> int:
        """Return the depth of the resources of the action for a purpose."""
        return next(permission.depth for permission in self.permissions if permission.use is use)

    def has(self, use: Use) -> bool:
        """Return whether the service has an action for a purpose."""
        return any(permission.use is use for permission in self.permissions)

    def by_word(self, names: Sequence[str]) -> dict[str, str]:
        """Return the names of containers, which are ordered from the outermost, by the words of their levels."""
        return {level.word: name for level, name in zip(self.containers, names, strict=False)}

    def arn(self, scope: ArnScope, path: Sequence[str]) -> str:
        """Return the ARN of a resource; `path` has its ids from the outermost to the innermost."""
        kinds = (level.arn_kind for level in self.levels)
        resource = "/".join(f"{kind}/{identifier}" for kind, identifier in zip(kinds, path, strict=False))
        return f"arn:{scope.partition}:{self.iam}:{scope.region}:{scope.account}:{resource}"

    def arns_above(self, scope: ArnScope, path: Sequence[str]) -> list[str]:
        """Return the ARNs of the containers of a resource, the outermost first, and its own."""
        return [self.arn(scope, path[:depth]) for depth in range(1, len(path) + 1)]
