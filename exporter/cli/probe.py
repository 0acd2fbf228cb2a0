"""`check --probe`: call each action once per target, and report the permissions that are missing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.cli.oneshot import OneShotTarget
from exporter.cli.policy import sid
from exporter.domain.model import ContainerId, SourceId
from exporter.errors import ProviderError, Reason
from exporter.providers.registry import Permission, assume_role_statement, policy_statements, required_permissions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.config import Config
    from exporter.providers import Provider

ALLOWED, MISSING, NOT_TRIED = "allowed", "missing", "not tried"


class _NoResourceError(Exception):
    """The target has no resource to call an action on; the message is its kind."""


@dataclass(slots=True)
class _Resources:
    """The resources to call actions on: named in the configuration, or listed by earlier calls."""

    application: str | None = None
    index: str | None = None
    data_source: str | None = None
    index_arn: str = ""

    def application_id(self) -> str:
        if self.application is None:
            raise _NoResourceError("application")
        return self.application

    def index_id(self) -> ContainerId:
        application = self.application_id()
        if self.index is None:
            raise _NoResourceError("index")
        return ContainerId(application, self.index)

    def source_id(self) -> SourceId:
        index = self.index_id()
        if self.data_source is None:
            raise _NoResourceError("data source")
        return SourceId(index.application_id, index.index_id, self.data_source)

    def source_arn(self) -> str:
        source = self.source_id()
        if not self.index_arn:
            raise _NoResourceError("index ARN")
        return f"{self.index_arn}/data-source/{source.data_source_id}"


@dataclass(slots=True)
class Probe:
    """The probe of one target's permissions, with the result of each action."""

    target: OneShotTarget
    permissions: tuple[Permission, ...]
    results: dict[str, str] = field(default_factory=dict)
    credential_error: ProviderError | None = None
    _resources: _Resources = field(default_factory=_Resources)

    def run(self) -> None:
        """Call each action that the target uses. Listings come first: they find the resources for later calls."""
        source = next(iter(self.target.config.data_sources), None)
        if source:
            self._resources = _Resources(source.application_id, source.index_id, source.data_source_id)
        for permission in self.permissions:
            try:
                self.results[permission.action] = self._try(permission)
            except ProviderError as error:
                self.credential_error = error  # every other call would fail with it too
                return

    def missing(self) -> tuple[Permission, ...]:
        """Return the permissions that are missing."""
        return tuple(each for each in self.permissions if self.results.get(each.action) == MISSING)

    @property
    def has_passed(self) -> bool:
        """Return whether every action that could be called was allowed."""
        acceptable = (ALLOWED, NOT_TRIED)
        return self.credential_error is None and all(result.startswith(acceptable) for result in self.results.values())

    def _try(self, permission: Permission) -> str:
        try:
            _CALLS[permission.action](self.target.provider, self._resources)
        except _NoResourceError as missing:
            return f"{NOT_TRIED}: no {missing} to try it on"
        except ProviderError as error:
            if error.reason is Reason.CREDENTIALS:
                raise
            return MISSING if error.reason is Reason.ACCESS_DENIED else f"failed: {error}"
        return ALLOWED

    def lines(self) -> Iterator[str]:
        """Yield the report, line by line."""
        scope = self.target.arn_scope()
        yield f"target {self.target.name} (account {scope.account}, region {scope.region})"
        if self.credential_error:
            yield f"  credentials refused: {self.credential_error}"
        for action, result in self.results.items():
            yield f"  {action:<24}{result}"
        missing = list(policy_statements(self.target.config, scope, self.missing(), sid(self.target.name)))
        if self.credential_error and self.target.config.role_arn:
            missing.append(assume_role_statement([self.target.config.role_arn]))
        if missing:
            yield "  missing policy statements:"
            yield from json.dumps(missing if len(missing) > 1 else missing[0], indent=2).splitlines()


def probe(config: Config) -> list[Probe]:
    """Probe every target."""
    probes = [
        Probe(OneShotTarget(target, config.polling), required_permissions(config, target)) for target in config.targets
    ]
    for each in probes:
        each.run()
    return probes


def _list_applications(provider: Provider, resources: _Resources) -> None:
    applications = provider.applications().items
    resources.application = resources.application or next(iter(applications), None)


def _list_indices(provider: Provider, resources: _Resources) -> None:
    indexes = provider.indexes(resources.application_id()).items
    resources.index = resources.index or next(iter(indexes), None)


def _get_application(provider: Provider, resources: _Resources) -> None:
    provider.application_name(resources.application_id())


def _get_index(provider: Provider, resources: _Resources) -> None:
    resources.index_arn = provider.index(resources.index_id()).arn


def _list_data_sources(provider: Provider, resources: _Resources) -> None:
    sources = provider.data_sources(resources.index_id()).items
    resources.data_source = resources.data_source or next(iter(sources), None)


def _get_data_source(provider: Provider, resources: _Resources) -> None:
    provider.data_source(resources.source_id())


def _list_sync_jobs(provider: Provider, resources: _Resources) -> None:
    next(iter(provider.sync_jobs(resources.source_id())), None)


def _list_tags(provider: Provider, resources: _Resources) -> None:
    provider.tags(resources.source_arn())


def _list_documents(provider: Provider, resources: _Resources) -> None:
    provider.documents(resources.source_id())


_CALLS: dict[str, Callable[[Provider, _Resources], None]] = {
    "ListApplications": _list_applications,
    "GetApplication": _get_application,
    "ListIndices": _list_indices,
    "GetIndex": _get_index,
    "ListDataSources": _list_data_sources,
    "GetDataSource": _get_data_source,
    "ListDataSourceSyncJobs": _list_sync_jobs,
    "ListTagsForResource": _list_tags,
    "ListDocuments": _list_documents,
}
