"""The IAM permissions that a target needs: the actions that the exporter uses, and their resources.

See the Service Authorization Reference, "Amazon Q Business". An action on a data source must also be allowed on its
index and its application.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from exporter.config import Config, DataSourceConfig, TargetConfig

MAX_MANAGED_POLICY = 6144  # characters of a managed policy, without white space (IAM quotas)
ALL_RESOURCES, APPLICATION, INDEX, DATA_SOURCE = range(4)
_SID_SUFFIXES = ("Everything", "Applications", "Indexes", "DataSources")


def _discovers(_config: Config, target: TargetConfig) -> bool:
    return target.discovery is not None


def _reads_tags(config: Config, target: TargetConfig) -> bool:
    discovery = target.discovery
    matchers = (*discovery.include, *discovery.exclude) if discovery else ()
    of_labels = discovery.tag_labels if discovery else ()
    return bool(config.objective_tags or of_labels) or any(matcher.tags for matcher in matchers)


def _reads_application_names(_config: Config, target: TargetConfig) -> bool:
    return any(source.application is None for source in target.data_sources)


def _counts_documents(config: Config, _target: TargetConfig) -> bool:
    return config.documents.interval > 0


def _always(_config: Config, _target: TargetConfig) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Permission:
    """An action, the level of its resources, and whether a target needs it.

    An action that is `named_only` is used for data sources named in the configuration, and never for discovered ones.
    """

    action: str
    level: int
    is_needed: Callable[[Config, TargetConfig], bool]
    named_only: bool = False


PERMISSIONS = (
    Permission("ListApplications", ALL_RESOURCES, _discovers),
    Permission("GetApplication", APPLICATION, _reads_application_names, named_only=True),
    Permission("ListIndices", APPLICATION, _discovers),
    Permission("GetIndex", INDEX, _always),
    Permission("ListDataSources", INDEX, _always),
    Permission("GetDataSource", DATA_SOURCE, _always),
    Permission("ListDataSourceSyncJobs", DATA_SOURCE, _always),
    Permission("ListTagsForResource", DATA_SOURCE, _reads_tags),
    Permission("ListDocuments", INDEX, _counts_documents),
)


@dataclass(frozen=True, slots=True)
class ArnScope:
    """The partition, region and account of a target's resources. An unknown account is `*`."""

    partition: str
    region: str
    account: str

    def arn(self, *path: str) -> str:
        """Return the ARN of an application, of an index in it, or of a data source in the index."""
        kinds = ("application", "index", "data-source")
        resource = "/".join(f"{kind}/{identifier}" for kind, identifier in zip(kinds, path, strict=False))
        return f"arn:{self.partition}:qbusiness:{self.region}:{self.account}:{resource}"


def required_permissions(config: Config, target: TargetConfig) -> tuple[Permission, ...]:
    """Return the permissions that one target of a configuration needs."""
    return tuple(permission for permission in PERMISSIONS if permission.is_needed(config, target))


def policy_statements(
    target: TargetConfig, scope: ArnScope, permissions: Iterable[Permission], sid: str
) -> Iterator[dict[str, Any]]:
    """Yield the policy statements that grant permissions on a target's resources; `sid` is the prefix of each Sid."""
    grouped: dict[tuple[str, ...], list[Permission]] = {}
    for permission in permissions:
        grouped.setdefault(_resources(target, scope, permission), []).append(permission)
    for resources, members in grouped.items():
        suffix = _SID_SUFFIXES[max(permission.level for permission in members)]
        actions = [f"qbusiness:{permission.action}" for permission in members]
        yield {"Sid": f"{sid}{suffix}", "Effect": "Allow", "Action": actions, "Resource": list(resources)}


def assume_role_statement(roles: Collection[str]) -> dict[str, Any]:
    """Return the policy statement that allows the exporter to assume roles."""
    return {"Sid": "AssumeRole", "Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": sorted(roles)}


def _resources(target: TargetConfig, scope: ArnScope, permission: Permission) -> tuple[str, ...]:
    if permission.level == ALL_RESOURCES:
        return ("*",)
    if target.discovery is not None and not permission.named_only:
        return (scope.arn("*"),)  # the wildcard also matches the indexes and data sources of an application
    sources = target.data_sources
    if permission.named_only:
        sources = tuple(source for source in sources if source.application is None)
    return tuple(dict.fromkeys(arn for source in sources for arn in _arns(source, scope, permission.level)))


def _arns(source: DataSourceConfig, scope: ArnScope, level: int) -> Iterator[str]:
    path = (source.application_id, source.index_id, source.data_source_id)
    for depth in range(1, level + 1):
        yield scope.arn(*path[:depth])
