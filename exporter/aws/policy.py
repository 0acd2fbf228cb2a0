"""The IAM permissions that a target needs, and the policy statements that grant them."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from exporter.aws.sqs_queue import queue_arn
from exporter.domain.service import Use

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from exporter.config import Config, TargetConfig
    from exporter.domain.service import ArnScope, Permission

MAX_MANAGED_POLICY = 6144  # characters of a managed policy, without white space (IAM quotas)


def required_permissions(config: Config, target: TargetConfig) -> tuple[Permission, ...]:
    """Return the permissions that one target of a configuration needs."""
    needed = {
        Use.LIST_CONTAINERS: target.discovery is not None,
        Use.CONTAINER_NAME: any(source.root is None for source in target.data_sources),
        Use.TAGS: _reads_tags(config, target),
        Use.DOCUMENTS: config.documents.interval > 0,
    }
    return tuple(permission for permission in target.service.permissions if needed.get(permission.use, True))


def policy_statements(
    target: TargetConfig, scope: ArnScope, permissions: Iterable[Permission], sid: str
) -> Iterator[dict[str, Any]]:
    """Yield policy statements that grant permissions on the resources of a target; each Sid begins with `sid`."""
    grouped: dict[tuple[str, ...], list[Permission]] = {}
    for permission in permissions:
        grouped.setdefault(_resources(target, scope, permission), []).append(permission)
    for resources, members in grouped.items():
        suffix = _sid_suffix(target, max(permission.depth for permission in members))
        actions = [f"{target.service.iam}:{permission.action}" for permission in members]
        yield {"Sid": f"{sid}{suffix}", "Effect": "Allow", "Action": actions, "Resource": list(resources)}


def queue_statements(target: TargetConfig, scope: ArnScope, sid: str) -> Iterator[dict[str, Any]]:
    """Yield the policy statement for reading and emptying the events queue of a target, if it has one."""
    if target.events:
        arn = queue_arn(target.events.queue_url, scope.partition, scope.region)
        actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage"]  # the second one includes DeleteMessageBatch
        yield {"Sid": f"{sid}Events", "Effect": "Allow", "Action": actions, "Resource": [arn]}


def assume_role_statement(roles: Collection[str]) -> dict[str, Any]:
    """Return the policy statement that allows the exporter to assume roles."""
    return {"Sid": "AssumeRole", "Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": sorted(roles)}


def _reads_tags(config: Config, target: TargetConfig) -> bool:
    discovery = target.discovery
    matchers = (*discovery.include, *discovery.exclude) if discovery else ()
    of_labels = discovery.tag_labels if discovery else ()
    return bool(config.objective_tags or of_labels) or any(matcher.tags for matcher in matchers)


def _sid_suffix(target: TargetConfig, depth: int) -> str:
    """Return the plural of the resources of a depth in camel case, because IAM permits no spaces."""
    return target.service.levels[depth - 1].plural.title().replace(" ", "") if depth else "Everything"


def _resources(target: TargetConfig, scope: ArnScope, permission: Permission) -> tuple[str, ...]:
    """Return the ARNs for which a permission is needed.

    Names are requested only for data sources of the configuration, because listings have the names of all others.
    """
    is_named_only = permission.use is Use.CONTAINER_NAME
    if permission.depth == 0:
        return ("*",)
    if target.discovery is not None and not is_named_only:
        return (target.service.arn(scope, "*"),)  # the wildcard also matches everything below the outermost containers
    sources = (source for source in target.data_sources if source.root is None or not is_named_only)
    arns = (target.service.arns_above(scope, source.path[: permission.depth]) for source in sources)
    return tuple(dict.fromkeys(chain.from_iterable(arns)))
