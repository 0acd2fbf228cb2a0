"""What a target's credentials must be allowed: the actions that this program uses, and on what.

See the Service Authorization Reference, "Amazon Q Business". An action on a data source wants its index and its
application allowed beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from exporter.config import DataSourceConfig, TargetConfig

MAX_MANAGED_POLICY = 6144  # characters of a managed policy, white space not counted (IAM quotas)
EVERYTHING, APPLICATION, INDEX, DATA_SOURCE = range(4)
_LEVEL_NAMES = ("Everything", "Applications", "Indexes", "DataSources")


def _discovers(target: TargetConfig) -> bool:
    return target.discovery is not None


def _asks_tags(target: TargetConfig) -> bool:
    discovery = target.discovery
    matchers = (*discovery.include, *discovery.exclude) if discovery else ()
    return bool(discovery and discovery.tag_labels) or any(matcher.tags for matcher in matchers)


def _asks_application_names(target: TargetConfig) -> bool:
    return any(source.application is None for source in target.data_sources)


def _always(_target: TargetConfig) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Permission:
    """An action: on what it works, and for which targets it is used; `named_only` is never used on what is found."""

    action: str
    level: int
    needed: Callable[[TargetConfig], bool]
    named_only: bool = False


PERMISSIONS = (
    Permission("ListApplications", EVERYTHING, _discovers),
    Permission("GetApplication", APPLICATION, _asks_application_names, named_only=True),
    Permission("ListIndices", APPLICATION, _discovers),
    Permission("GetIndex", INDEX, _always),
    Permission("ListDataSources", INDEX, _always),
    Permission("GetDataSource", DATA_SOURCE, _always),
    Permission("ListDataSourceSyncJobs", DATA_SOURCE, _always),
    Permission("ListTagsForResource", DATA_SOURCE, _asks_tags),
)


@dataclass(frozen=True, slots=True)
class ArnScope:
    """Where a target's resources are; an account that nobody told is `*`."""

    partition: str
    region: str
    account: str

    def arn(self, *path: str) -> str:
        """Give the ARN of an application, of an index in it, or of a data source in that."""
        kinds = ("application", "index", "data-source")
        resource = "/".join(f"{kind}/{identifier}" for kind, identifier in zip(kinds, path, strict=False))
        return f"arn:{self.partition}:qbusiness:{self.region}:{self.account}:{resource}"


def needed(target: TargetConfig) -> tuple[Permission, ...]:
    """Give the permissions that a target uses."""
    return tuple(permission for permission in PERMISSIONS if permission.needed(target))


def statements(
    target: TargetConfig, place: ArnScope, permissions: Iterable[Permission], sid: str
) -> Iterator[dict[str, Any]]:
    """Give the policy statements that allow a target so much and no more; `sid` begins the name of each."""
    grouped: dict[tuple[str, ...], list[Permission]] = {}
    for permission in permissions:
        grouped.setdefault(_resources(target, place, permission), []).append(permission)
    for resources, members in grouped.items():
        name = _LEVEL_NAMES[max(permission.level for permission in members)]
        actions = [f"qbusiness:{permission.action}" for permission in members]
        yield {"Sid": f"{sid}{name}", "Effect": "Allow", "Action": actions, "Resource": list(resources)}


def assume_role(roles: Collection[str]) -> dict[str, Any]:
    """Give the statement that allows to assume roles."""
    return {"Sid": "AssumeRole", "Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": sorted(roles)}


def _resources(target: TargetConfig, place: ArnScope, permission: Permission) -> tuple[str, ...]:
    if permission.level == EVERYTHING:
        return ("*",)
    if target.discovery is not None and not permission.named_only:
        return (place.arn("*"),)  # it matches what lies within an application too
    sources = target.data_sources
    if permission.named_only:
        sources = tuple(source for source in sources if source.application is None)
    return tuple(dict.fromkeys(arn for source in sources for arn in _path(source, place, permission.level)))


def _path(source: DataSourceConfig, place: ArnScope, level: int) -> Iterator[str]:
    path = (source.application_id, source.index_id, source.data_source_id)
    for depth in range(1, level + 1):
        yield place.arn(*path[:depth])
