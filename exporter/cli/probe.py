"""`check --probe`: try each permission once per target, and say what is missing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.cli.oneshot import OneShotTarget
from exporter.cli.policy import sid
from exporter.domain.model import IndexId, SourceId
from exporter.errors import ProviderError, Reason
from exporter.providers.registry import Permission, assume_role, needed, statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.config import Config
    from exporter.providers import Provider

ALLOWED, MISSING, NOT_TRIED = "allowed", "missing", "not tried"


class _NothingToTryError(Exception):
    """There is nothing to try a permission on."""


@dataclass(slots=True)
class _Finds:
    """What there is to try permissions on: named in the configuration, or found on the way."""

    application: str | None = None
    index: str | None = None
    data_source: str | None = None
    arn: str = ""

    def index_id(self) -> IndexId:
        if self.application is None or self.index is None:
            raise _NothingToTryError("application" if self.application is None else "index")
        return IndexId(self.application, self.index)

    def source_id(self) -> SourceId:
        index = self.index_id()
        if self.data_source is None:
            raise _NothingToTryError("data source")
        return SourceId(index.application_id, index.index_id, self.data_source)


@dataclass(slots=True)
class Probe:
    """The trial of one target: what came of each action."""

    target: OneShotTarget
    verdicts: dict[str, str] = field(default_factory=dict)
    refused: ProviderError | None = None
    _finds: _Finds = field(default_factory=_Finds)

    def run(self) -> None:
        """Try each action that the target uses, in the order in which one finds what the next is tried on."""
        named = next(iter(self.target.config.data_sources), None)
        if named:
            self._finds = _Finds(named.application_id, named.index_id, named.data_source_id)
        for permission in needed(self.target.config):
            try:
                self.verdicts[permission.action] = self._try(permission)
            except ProviderError as error:
                self.refused = error  # of the credentials themselves: nothing else can be tried
                return

    def missing(self) -> tuple[Permission, ...]:
        """Give the permissions that were found missing."""
        return tuple(p for p in needed(self.target.config) if self.verdicts.get(p.action) == MISSING)

    @property
    def is_fine(self) -> bool:
        """Tell whether all that could be tried is allowed."""
        bad = [
            verdict for verdict in self.verdicts.values() if verdict != ALLOWED and not verdict.startswith("not tried")
        ]
        return self.refused is None and not bad

    def _try(self, permission: Permission) -> str:
        try:
            _ACTIONS[permission.action](self.target.provider, self._finds)
        except _NothingToTryError as nothing:
            return f"{NOT_TRIED}: no {nothing} to try it on"
        except ProviderError as error:
            if error.reason is Reason.CREDENTIALS:
                raise
            return MISSING if error.reason is Reason.ACCESS_DENIED else f"failed: {error}"
        return ALLOWED

    def lines(self) -> Iterator[str]:
        """Give what to tell a person."""
        place = self.target.place()
        yield f"target {self.target.name} (account {place.account}, region {place.region})"
        if self.refused:
            yield f"  credentials do not work: {self.refused}"
        for action, verdict in self.verdicts.items():
            yield f"  {action:<24}{verdict}"
        wanted = list(statements(self.target.config, place, self.missing(), sid(self.target.name)))
        if self.refused and self.target.config.role_arn:
            wanted.append(assume_role([self.target.config.role_arn]))
        if wanted:
            yield "  would be granted by"
            yield from json.dumps(wanted if len(wanted) > 1 else wanted[0], indent=2).splitlines()


def probe(config: Config) -> list[Probe]:
    """Try every target."""
    probes = [Probe(OneShotTarget(target, config.polling)) for target in config.targets]
    for one in probes:
        one.run()
    return probes


def _list_applications(provider: Provider, finds: _Finds) -> None:
    finds.application = finds.application or next(iter(provider.applications().items), None)


def _list_indices(provider: Provider, finds: _Finds) -> None:
    if finds.application is None:
        raise _NothingToTryError("application")
    finds.index = finds.index or next(iter(provider.indexes(finds.application).items), None)


def _get_application(provider: Provider, finds: _Finds) -> None:
    if finds.application is None:
        raise _NothingToTryError("application")
    provider.application_name(finds.application)


def _get_index(provider: Provider, finds: _Finds) -> None:
    finds.arn = provider.index(finds.index_id()).arn


def _list_data_sources(provider: Provider, finds: _Finds) -> None:
    listed = provider.data_sources(finds.index_id()).items
    finds.data_source = finds.data_source or next(iter(listed), None)


def _get_data_source(provider: Provider, finds: _Finds) -> None:
    provider.data_source(finds.source_id())


def _list_sync_jobs(provider: Provider, finds: _Finds) -> None:
    next(iter(provider.sync_jobs(finds.source_id())), None)


def _list_tags(provider: Provider, finds: _Finds) -> None:
    source = finds.source_id()
    if not finds.arn:
        raise _NothingToTryError("ARN, which GetIndex gives,")
    provider.tags(f"{finds.arn}/data-source/{source.data_source_id}")


_ACTIONS: dict[str, Callable[[Provider, _Finds], None]] = {
    "ListApplications": _list_applications,
    "GetApplication": _get_application,
    "ListIndices": _list_indices,
    "GetIndex": _get_index,
    "ListDataSources": _list_data_sources,
    "GetDataSource": _get_data_source,
    "ListDataSourceSyncJobs": _list_sync_jobs,
    "ListTagsForResource": _list_tags,
}
