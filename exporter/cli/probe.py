"""`check --probe`: call each action once per target, and report the permissions that are missing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from exporter.aws.policy import (
    assume_role_statement,
    policy_statements,
    queue_statements,
    required_permissions,
)
from exporter.aws.sqs_queue import DELETE, RECEIVE
from exporter.cli.find_source import any_watched_source
from exporter.cli.oneshot import OneShotTarget
from exporter.cli.policy import sid
from exporter.domain.model import ContainerId
from exporter.domain.service import ArnScope, Use
from exporter.errors import ProviderError, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from exporter.config import Config
    from exporter.domain.model import SourceId
    from exporter.domain.service import Permission, Service
    from exporter.providers import Provider

ALLOWED, MISSING, NOT_TRIED = "allowed", "missing", "not tried"


class _NoResourceError(Exception):
    """The target has no resource on which to call an action; the message is the kind of the resource."""


@dataclass(slots=True)
class _Resources:
    """The resources on which to call actions, from the configuration or from earlier listings."""

    service: Service
    path: tuple[str, ...] = ()
    """The known ids of a data source and its containers, from the outermost container."""
    arn: str = ""
    """The ARN of the container, if AWS has reported it."""

    def container(self, depth: int) -> ContainerId:
        self._require(depth)
        return ContainerId(self.service, self.path[:depth])

    def source(self) -> SourceId:
        self._require(len(self.service.levels))
        return self.container(len(self.service.containers)).source(self.path[-1])

    def scope(self) -> ArnScope:
        self.source()
        scope = ArnScope.of(self.arn)
        if scope is None:
            raise _NoResourceError(f"{self.service.container.text} ARN")
        return scope

    def add(self, depth: int, listed: Iterable[str]) -> None:
        """Use the first of the listed resources, unless one of this depth is known."""
        first = next(iter(listed), None)
        if len(self.path) == depth - 1 and first is not None:
            self.path = (*self.path, first)

    def _require(self, depth: int) -> None:
        if len(self.path) < depth:
            raise _NoResourceError(self.service.levels[len(self.path)].text)


@dataclass(slots=True)
class Probe:
    """The probe of one target's permissions, with the result of each action."""

    target: OneShotTarget
    permissions: tuple[Permission, ...]
    results: dict[str, str] = field(default_factory=dict)
    credential_error: ProviderError | None = None

    def run(self) -> None:
        """Call each action that the target uses. Listings come first, because they find the resources for later calls.

        The probe of a queue has no effect on its messages. A received message stays visible, and none is deleted,
        because no message has the receipt of the probe.
        """
        resources = _Resources(self.target.config.service, any_watched_source(self.target))
        for permission in self.permissions:
            call = partial(_CALLS[permission.use], self.target.provider, resources, permission.depth)
            if not self._record(permission.action, call):
                return
        if queue := self.target.message_queue():
            self._record(RECEIVE, partial(queue.receive, 0, visibility_timeout=0))
            self._record(DELETE, partial(queue.delete, ["probe"]))

    def _record(self, action: str, call: Callable[[], object]) -> bool:
        """Call an action and record the result; return False if every other call would fail as well."""
        try:
            self.results[action] = _try(call)
        except ProviderError as error:
            self.credential_error = error
        return self.credential_error is None

    def missing(self) -> tuple[Permission, ...]:
        """Return the missing permissions, and those that could not be tried because others are missing.

        Example: if the containers cannot be listed, the other actions cannot be tried on any. So that the operator has
        to change the policy only once, the statements include these actions.
        """
        if MISSING not in (self.results.get(each.action) for each in self.permissions):
            return ()
        return tuple(
            each
            for each in self.permissions
            if self.results.get(each.action, NOT_TRIED).startswith((MISSING, NOT_TRIED))
        )

    @property
    def has_passed(self) -> bool:
        """Return whether every action that could be called was allowed."""
        acceptable = (ALLOWED, NOT_TRIED)
        return self.credential_error is None and all(result.startswith(acceptable) for result in self.results.values())

    def lines(self) -> Iterator[str]:
        """Yield the report, line by line."""
        scope = self.target.arn_scope()
        yield f"target {self.target.name} (account {scope.account}, region {scope.region})"
        if self.credential_error:
            yield f"  credentials refused: {self.credential_error}"
        width = max(map(len, self.results), default=0) + 2
        for action, result in self.results.items():
            yield f"  {action:<{width}}{result}"
        missing = list(policy_statements(self.target.config, scope, self.missing(), sid(self.target.name)))
        if MISSING in {self.results.get(RECEIVE), self.results.get(DELETE)}:
            missing += queue_statements(self.target.config, scope, sid(self.target.name))
        if self.credential_error and self.target.config.role_arn:
            missing.append(assume_role_statement([self.target.config.role_arn]))
        if missing:
            yield "  missing policy statements:"
            yield from json.dumps(missing if len(missing) > 1 else missing[0], indent=2).splitlines()


def _try(call: Callable[[], object]) -> str:
    """Return the result of a call; raise ProviderError if the credentials are refused."""
    try:
        call()
    except _NoResourceError as missing:
        return f"{NOT_TRIED}: no {missing} to try it on"
    except ProviderError as error:
        if error.reason is Reason.CREDENTIALS:
            raise
        return MISSING if error.reason is Reason.ACCESS_DENIED else f"failed: {error}"
    return ALLOWED


def probe(config: Config) -> list[Probe]:
    """Probe every target."""
    probes = [
        Probe(OneShotTarget(target, config.polling), required_permissions(config, target)) for target in config.targets
    ]
    for each in probes:
        each.run()
    return probes


def _list_containers(provider: Provider, resources: _Resources, depth: int) -> None:
    parent = resources.container(depth) if depth else None
    resources.add(depth + 1, provider.containers(parent).items)


def _get_name(provider: Provider, resources: _Resources, depth: int) -> None:
    provider.container_name(resources.container(depth))


def _get_container(provider: Provider, resources: _Resources, depth: int) -> None:
    resources.arn = provider.container(resources.container(depth)).arn


def _list_sources(provider: Provider, resources: _Resources, depth: int) -> None:
    resources.add(depth + 1, provider.data_sources(resources.container(depth)).items)


def _get_source(provider: Provider, resources: _Resources, _depth: int) -> None:
    provider.data_source(resources.source())


def _list_sync_jobs(provider: Provider, resources: _Resources, _depth: int) -> None:
    next(iter(provider.sync_jobs(resources.source())), None)


def _get_sync_job(provider: Provider, resources: _Resources, _depth: int) -> None:
    page = next(iter(provider.sync_jobs(resources.source())), None)
    if page is None or not page.jobs:
        raise _NoResourceError("sync job")
    provider.explain(resources.source(), page.jobs[0], [])


def _list_tags(provider: Provider, resources: _Resources, _depth: int) -> None:
    provider.tags(resources.source(), resources.scope())


def _list_documents(provider: Provider, resources: _Resources, _depth: int) -> None:
    provider.documents(resources.source())


_CALLS: dict[Use, Callable[[Provider, _Resources, int], None]] = {
    Use.LIST_CONTAINERS: _list_containers,
    Use.CONTAINER_NAME: _get_name,
    Use.CONTAINER: _get_container,
    Use.LIST_SOURCES: _list_sources,
    Use.SOURCE: _get_source,
    Use.SYNC_JOBS: _list_sync_jobs,
    Use.SYNC_JOB: _get_sync_job,
    Use.TAGS: _list_tags,
    Use.DOCUMENTS: _list_documents,
}
