"""One round of discovery: what a target has is looked through, and whoever watches is told what changed.

A round that partly fails loses nothing. A source goes only when a successful listing no longer has it, or no longer
has its index or its application; whatever could not be asked stays as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from exporter.discovery.crawler import Applications, Crawler, IndexContents, Indexes, called
from exporter.discovery.failures import DiscoveryFailures
from exporter.discovery.filters import Candidate
from exporter.domain.model import DataSource, IndexId, Location, SourceId
from exporter.domain.snapshots import IndexSnapshot
from exporter.domain.units import DATE_RESOLUTION
from exporter.target.source_log import source_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.discovery.filters import SourceFilters
    from exporter.discovery.tag_cache import TagCache
    from exporter.domain.model import Description, IndexFacts
    from exporter.domain.snapshots import SavedSource
    from exporter.providers import Listing
    from exporter.target.context import TargetContext

logger = structlog.get_logger()


class DiscoveryObserver(Protocol):
    """Who watches what is found."""

    def source_added(self, source: DataSource, since: float, known: SavedSource | None) -> str | None:
        """Begin to watch a source whose jobs count from a moment on, or give the other target that watches it."""

    def describe(self, source: DataSource, index: str, listed: Description | None) -> None:
        """Take note of what is said of a source, and of the settled name of its index."""

    def source_removed(self, source: DataSource) -> None:
        """Watch a source no more."""

    @property
    def stopping(self) -> bool:
        """Tell whether the program is about to end."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What to look for: what the rules of discovery want, and what the configuration names."""

    filters: SourceFilters | None
    named: tuple[DataSource, ...]


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a round went: whether all of it worked, and whether anything of it did."""

    complete: bool
    reached: bool


class Reconciler:
    """Looks round one target."""

    def __init__(self, context: TargetContext, observer: DiscoveryObserver, scope: Scope, tags: TagCache) -> None:
        self._context = context
        self._observer = observer
        self._filters = scope.filters
        self._named = {source.id: source for source in scope.named}
        self.tags = tags
        self._failures = DiscoveryFailures(context.target, context.credentials)
        self._crawler = Crawler(context.provider, scope.filters, tuple(self._named), self._failures)
        self._found: dict[SourceId, DataSource] = {}
        self._published: set[IndexId] = set()
        self._elsewhere: dict[SourceId, str] = {}
        self._matched: set[str] = set()
        self._rounds = 0

    def resume(self, before: Reconciler | None = None) -> None:
        """Go on with the sources that were found before and are still wanted, however AWS fares now.

        Without another surveyor to go on from, before is before a restart.
        """
        if before:
            self._published |= before.published()
            self.tags.adopt(before.tags)
        since = self._context.store.watched_since(self._context.target)
        if self._filters is None or since is None:
            return
        for known in self._context.store.saved_sources(self._context.target):
            source, description = known.source, known.description
            names = (source.application or "", known.index, source.name or "")
            wanted = self._filters.match(Candidate(*names, description.type, dict(description.tags)))
            if wanted and source.id not in self._named:
                self._add(replace(source, labels=()), since, known)
        if self._found and not before:
            logger.info("going on with data sources known before", target=self._context.target, count=len(self._found))

    def published(self) -> set[IndexId]:
        """Return the indexes that are exposed."""
        return set(self._published)

    def reconcile(self) -> RunResult:
        """Go round once."""
        before, reached = set(self._found), False
        self._failures.begin()
        with self._failures.isolate_run():
            for found in self._crawler.crawl():
                reached = True
                self._context.credentials.report_success()
                if self._observer.stopping:
                    break
                self._reconcile_found(found)
        self._failures.conclude()
        self._tell(before, reached=reached)
        return RunResult(not self._failures.failed and not self._observer.stopping, reached)

    def _reconcile_found(self, found: Applications | Indexes | IndexContents) -> None:
        match found:
            case Applications(wanted, listing):
                self._begin_watch()
                known = {index.application_id for index in self._known_indexes()}
                applications = _gone(known - wanted.keys(), listing, self._context.provider.applications)
                self._lose({index for index in self._known_indexes() if index.application_id in applications})
            case Indexes(application_id, wanted, listing):
                missing = {i.index_id for i in self._known_indexes() - wanted if i.application_id == application_id}
                with self._failures.isolate(f"indexes of application {application_id}"):
                    indexes = _gone(missing, listing, lambda: self._context.provider.indexes(application_id))
                    self._lose({IndexId(application_id, index_id) for index_id in indexes})
            case IndexContents():
                with self._failures.isolate(f"names of index {called(found.name, found.id.index_id)}"):
                    self._reconcile_index(found)

    def _begin_watch(self) -> None:
        if self._context.store.watched_since(self._context.target) is None:
            now = self._context.provider.clock.now()
            self._context.store.save_watched_since(self._context.target, now + DATE_RESOLUTION)

    def _reconcile_index(self, contents: IndexContents) -> None:
        names, index = self._context.names, contents.id
        application = self._application_name(contents)
        if contents.name:
            name = names.index(index, lambda: contents.name)
        else:
            name = names.index(index, lambda: self._context.provider.index(index).name)
        if contents.facts:
            self._publish_index(index, application, name, contents.facts)
        listed = contents.listing.items if contents.listing else {}
        for source in self._named.values():
            if source.id.index == index:
                self._observer.describe(
                    source, name, self._tagged(contents, source.id, listed.get(source.id.data_source_id))
                )
        if self._filters is not None and contents.listing is not None:
            wanted = self._wanted(contents, self._filters)
            for identifier, description in wanted.items():
                self._meet(identifier, application, name, description)
            self._check(contents, wanted)

    def _publish_index(self, index: IndexId, application: str, name: str, facts: IndexFacts) -> None:
        self._published.add(index)
        if self._observer.stopping:
            return
        location = self._context.location.current or Location("", self._context.location.region)
        self._context.publisher.publish_index(IndexSnapshot(index, application, name, facts, location))

    def _application_name(self, contents: IndexContents) -> str:
        configured = (s.application for s in self._named.values() if s.id.application_id == contents.id.application_id)
        given = next((name for name in configured if name), None)
        ask = self._context.provider.application_name
        identifier = contents.id.application_id
        return given or self._context.names.application(identifier, lambda: contents.application or ask(identifier))

    def _wanted(self, contents: IndexContents, filters: SourceFilters) -> dict[SourceId, Description | None]:
        """Give the sources of an index that are wanted; None where that cannot be told and all is to stay as it was."""
        wanted: dict[SourceId, Description | None] = {}
        for identifier, listed in (contents.listing.items if contents.listing else {}).items():
            source = SourceId(contents.id.application_id, contents.id.index_id, identifier)
            if source in self._named:
                continue
            candidate = Candidate(contents.application, contents.name, listed.name, listed.type)
            verdict = filters.match(candidate)
            description: Description | None = listed
            if verdict is None or (verdict and filters.tag_labels):
                tags = self._ask_tags(contents, source, listed)
                candidate = replace(candidate, tags=tags)
                verdict = filters.match(candidate)
                description = None if tags is None else replace(listed, tags=filters.relevant(tags))
            self._matched |= filters.matching(candidate, surely=False)
            if verdict is not False:
                wanted[source] = description
        return wanted

    def _ask_tags(self, contents: IndexContents, source: SourceId, listed: Description) -> Mapping[str, str] | None:
        if contents.facts is None or not contents.facts.arn:
            return self.tags.last(source)
        with self._failures.isolate(f"tags of data sources of index {called(contents.name, contents.id.index_id)}"):
            return self.tags.of(source, f"{contents.facts.arn}/data-source/{source.data_source_id}", listed.updated)
        return self.tags.last(source)

    def _tagged(self, contents: IndexContents, source: SourceId, listed: Description | None) -> Description | None:
        if listed is None or self._filters is None or not self._filters.tag_labels:
            return listed
        return replace(listed, tags=self._filters.relevant(self._ask_tags(contents, source, listed) or {}))

    def _meet(self, identifier: SourceId, application: str, index: str, listed: Description | None) -> None:
        if listed is None:
            return
        if identifier not in self._found:
            name = self._context.names.data_source(identifier, lambda: listed.name or identifier.data_source_id)
            source = DataSource(self._context.target, identifier, application, name)
            self._add(source, self._context.store.watched_since(self._context.target) or 0.0, None)
        if identifier in self._found:
            self._observer.describe(self._found[identifier], index, listed)

    def _add(self, source: DataSource, since: float, known: SavedSource | None) -> None:
        other = self._observer.source_added(source, since, known)
        if other is None:
            self._found[source.id] = source
            self._elsewhere.pop(source.id, None)
        elif self._elsewhere.get(source.id) != other:
            self._elsewhere[source.id] = other
            logger.warning(
                "data source is seen by two targets: the first polls it",
                target=self._context.target,
                polled_by=other,
                data_source=source.name,
                data_source_id=source.id.data_source_id,
            )

    def _check(self, contents: IndexContents, wanted: Mapping[SourceId, object]) -> None:
        """Let go of the sources that an index no longer has, or that are no longer wanted."""
        missing = {id_.data_source_id for id_ in self._found if id_.index == contents.id and id_ not in wanted}
        if contents.listing:
            for gone in sorted(
                _gone(missing, contents.listing, lambda: self._context.provider.data_sources(contents.id))
            ):
                self._remove(SourceId(contents.id.application_id, contents.id.index_id, gone))

    def _known_indexes(self) -> set[IndexId]:
        return {identifier.index for identifier in self._found} | self._published

    def _lose(self, lost: set[IndexId]) -> None:
        for identifier in [identifier for identifier in self._found if identifier.index in lost]:
            self._remove(identifier)
        kept = {identifier.index for identifier in self._named}
        for index in sorted((self._published - kept) & lost, key=str):
            self._published.discard(index)
            if not self._observer.stopping:
                self._context.publisher.remove_index(index)

    def _remove(self, identifier: SourceId) -> None:
        source = self._found.pop(identifier)
        self.tags.forget(identifier)
        self._observer.source_removed(source)

    def _tell(self, before: set[SourceId], *, reached: bool) -> None:
        log = logger.bind(target=self._context.target)
        appeared = [source for identifier, source in self._found.items() if identifier not in before]
        if before or self._rounds:
            for source in appeared:
                log.info("data source found", **source_fields(source))
        elif appeared:
            log.info("data sources found", count=len(appeared))
        if reached and self._rounds == 0 and self._filters is not None:
            for name in sorted(set(self._filters.names) - self._matched - self._crawler.matched):
                log.warning("discovery filter matches nothing", filter=name, all_was_seen=not self._failures.failed)
        self._rounds += reached


def _gone(missing: set[str], listing: Listing[Any], look_again: Callable[[], Listing[Any]]) -> set[str]:
    """Give those of the missing that have gone: they are listed and no longer wanted, or listed no more.

    Pages may shift under the reader and pass one over, so a listing of several is looked at again; and where an entry
    has no id, nobody can tell whose it is.
    """
    unlisted = missing - listing.items.keys()
    looks = [listing, look_again()] if unlisted and listing.pages > 1 else [listing]
    return missing - {id_ for id_ in unlisted if any(look.warnings or id_ in look.items for look in looks)}
