"""One round of discovery: what a target has is looked through, and whoever watches is told what changed.

A round that partly fails loses nothing. A source goes only when a successful listing no longer has it, or no longer
has its index or its application; whatever could not be asked stays as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from exporter.discovery.crawler import Applications, Indexes, Stock, Walk, called
from exporter.discovery.failures import Troubles
from exporter.discovery.filters import Candidate
from exporter.domain.model import DataSource, IndexId, SourceId

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.discovery.filters import Rules
    from exporter.discovery.tag_cache import Tags
    from exporter.domain.model import Description, IndexFacts, Known
    from exporter.providers import Listing
    from exporter.target.context import Means

DATE_RESOLUTION = 1.0  # seconds: AWS's clock comes from a Date header, which is cut

logger = structlog.get_logger()


class Watcher(Protocol):
    """Who watches what is found."""

    def appear(self, source: DataSource, since: float, known: Known | None) -> str | None:
        """Begin to watch a source whose jobs count from a moment on, or give the other target that watches it."""

    def describe(self, source: DataSource, index: str, listed: Description | None) -> None:
        """Take note of what is said of a source, and of the settled name of its index."""

    def vanish(self, source: DataSource) -> None:
        """Watch a source no more."""

    def show_index(self, index: IndexId, application: str, name: str, facts: IndexFacts) -> None:
        """Show an index as it is now."""

    def drop_index(self, index: IndexId) -> None:
        """Show an index no more."""

    @property
    def stopping(self) -> bool:
        """Tell whether the program is about to end."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What to look for: what the rules of discovery want, and what the configuration names."""

    rules: Rules | None
    named: tuple[DataSource, ...]


@dataclass(frozen=True, slots=True)
class Round:
    """How a round went: whether all of it worked, and whether anything of it did."""

    complete: bool
    reached: bool


class Surveyor:
    """Looks round one target."""

    def __init__(self, means: Means, watcher: Watcher, scope: Scope, tags: Tags) -> None:
        self._means = means
        self._watcher = watcher
        self._rules = scope.rules
        self._named = {source.id: source for source in scope.named}
        self.tags = tags
        self._troubles = Troubles(means.target, means.access)
        self._walk = Walk(means.provider, scope.rules, tuple(self._named), self._troubles)
        self._found: dict[SourceId, DataSource] = {}
        self._shown: set[IndexId] = set()
        self._elsewhere: dict[SourceId, str] = {}
        self._matched: set[str] = set()
        self._rounds = 0

    def resume(self, before: Surveyor | None = None) -> None:
        """Go on with the sources that were found before and are still wanted, however AWS fares now.

        Without another surveyor to go on from, before is before a restart.
        """
        if before:
            self._shown |= before.shown()
            self.tags.take_over(before.tags)
        since = self._means.keeper.watched_since(self._means.target)
        if self._rules is None or since is None:
            return
        for known in self._means.keeper.known(self._means.target):
            source, about = known.source, known.about
            names = (source.application or "", known.index, source.name or "")
            wanted = self._rules.wants(Candidate(*names, about.type, dict(about.tags)))
            if wanted and source.id not in self._named:
                self._appear(replace(source, labels=()), since, known)
        if self._found and not before:
            logger.info("going on with data sources known before", target=self._means.target, count=len(self._found))

    def shown(self) -> set[IndexId]:
        """Give the indexes that are shown."""
        return set(self._shown)

    def survey(self) -> Round:
        """Go round once."""
        before, reached = set(self._found), False
        self._troubles.begin()
        with self._troubles.minding_all():
            for sight in self._walk.go():
                reached = True
                self._means.access.works()
                if self._watcher.stopping:
                    break
                self._take_in(sight)
        self._troubles.conclude()
        self._tell(before, reached=reached)
        return Round(not self._troubles.failed and not self._watcher.stopping, reached)

    def _take_in(self, sight: Applications | Indexes | Stock) -> None:
        match sight:
            case Applications(wanted, listing):
                self._begin_watch()
                known = {index.application_id for index in self._known_indexes()}
                applications = _gone(known - wanted.keys(), listing, self._means.provider.applications)
                self._lose({index for index in self._known_indexes() if index.application_id in applications})
            case Indexes(application_id, wanted, listing):
                missing = {i.index_id for i in self._known_indexes() - wanted if i.application_id == application_id}
                with self._troubles.minding(f"indexes of application {application_id}"):
                    indexes = _gone(missing, listing, lambda: self._means.provider.indexes(application_id))
                    self._lose({IndexId(application_id, index_id) for index_id in indexes})
            case Stock():
                with self._troubles.minding(f"names of index {called(sight.name, sight.id.index_id)}"):
                    self._take_stock(sight)

    def _begin_watch(self) -> None:
        if self._means.keeper.watched_since(self._means.target) is None:
            now = self._means.provider.clock.now()
            self._means.keeper.begin_watch(self._means.target, now + DATE_RESOLUTION)

    def _take_stock(self, stock: Stock) -> None:
        names, index = self._means.names, stock.id
        application = self._application_name(stock)
        if stock.name:
            name = names.index(index, lambda: stock.name)
        else:
            name = names.index(index, lambda: self._means.provider.index(index).name)
        if stock.facts:
            self._watcher.show_index(index, application, name, stock.facts)
            self._shown.add(index)
        listed = stock.listing.items if stock.listing else {}
        for source in self._named.values():
            if source.id.index == index:
                self._watcher.describe(
                    source, name, self._tagged(stock, source.id, listed.get(source.id.data_source_id))
                )
        if self._rules is not None and stock.listing is not None:
            wanted = self._wanted(stock, self._rules)
            for identifier, description in wanted.items():
                self._meet(identifier, application, name, description)
            self._check(stock, wanted)

    def _application_name(self, stock: Stock) -> str:
        configured = (s.application for s in self._named.values() if s.id.application_id == stock.id.application_id)
        given = next((name for name in configured if name), None)
        ask = self._means.provider.application_name
        identifier = stock.id.application_id
        return given or self._means.names.application(identifier, lambda: stock.application or ask(identifier))

    def _wanted(self, stock: Stock, rules: Rules) -> dict[SourceId, Description | None]:
        """Give the sources of an index that are wanted; None where that cannot be told and all is to stay as it was."""
        wanted: dict[SourceId, Description | None] = {}
        for identifier, listed in (stock.listing.items if stock.listing else {}).items():
            source = SourceId(stock.id.application_id, stock.id.index_id, identifier)
            if source in self._named:
                continue
            candidate = Candidate(stock.application, stock.name, listed.name, listed.type)
            verdict = rules.wants(candidate)
            description: Description | None = listed
            if verdict is None or (verdict and rules.tag_labels):
                tags = self._ask_tags(stock, source, listed)
                candidate = replace(candidate, tags=tags)
                verdict = rules.wants(candidate)
                description = None if tags is None else replace(listed, tags=rules.relevant(tags))
            self._matched |= rules.matching(candidate, surely=False)
            if verdict is not False:
                wanted[source] = description
        return wanted

    def _ask_tags(self, stock: Stock, source: SourceId, listed: Description) -> Mapping[str, str] | None:
        if stock.facts is None or not stock.facts.arn:
            return self.tags.last(source)
        with self._troubles.minding(f"tags of data sources of index {called(stock.name, stock.id.index_id)}"):
            return self.tags.of(source, f"{stock.facts.arn}/data-source/{source.data_source_id}", listed.updated)
        return self.tags.last(source)

    def _tagged(self, stock: Stock, source: SourceId, listed: Description | None) -> Description | None:
        if listed is None or self._rules is None or not self._rules.tag_labels:
            return listed
        return replace(listed, tags=self._rules.relevant(self._ask_tags(stock, source, listed) or {}))

    def _meet(self, identifier: SourceId, application: str, index: str, listed: Description | None) -> None:
        if listed is None:
            return
        if identifier not in self._found:
            name = self._means.names.data_source(identifier, lambda: listed.name or identifier.data_source_id)
            source = DataSource(self._means.target, identifier, application, name)
            self._appear(source, self._means.keeper.watched_since(self._means.target) or 0.0, None)
        if identifier in self._found:
            self._watcher.describe(self._found[identifier], index, listed)

    def _appear(self, source: DataSource, since: float, known: Known | None) -> None:
        other = self._watcher.appear(source, since, known)
        if other is None:
            self._found[source.id] = source
            self._elsewhere.pop(source.id, None)
        elif self._elsewhere.get(source.id) != other:
            self._elsewhere[source.id] = other
            logger.warning(
                "data source is seen by two targets: the first polls it",
                target=self._means.target,
                polled_by=other,
                data_source=source.name,
                data_source_id=source.id.data_source_id,
            )

    def _check(self, stock: Stock, wanted: Mapping[SourceId, object]) -> None:
        """Let go of the sources that an index no longer has, or that are no longer wanted."""
        missing = {id_.data_source_id for id_ in self._found if id_.index == stock.id and id_ not in wanted}
        if stock.listing:
            for gone in sorted(_gone(missing, stock.listing, lambda: self._means.provider.data_sources(stock.id))):
                self._vanish(SourceId(stock.id.application_id, stock.id.index_id, gone))

    def _known_indexes(self) -> set[IndexId]:
        return {identifier.index for identifier in self._found} | self._shown

    def _lose(self, lost: set[IndexId]) -> None:
        for identifier in [identifier for identifier in self._found if identifier.index in lost]:
            self._vanish(identifier)
        kept = {identifier.index for identifier in self._named}
        for index in sorted((self._shown - kept) & lost, key=str):
            self._shown.discard(index)
            self._watcher.drop_index(index)

    def _vanish(self, identifier: SourceId) -> None:
        source = self._found.pop(identifier)
        self.tags.forget(identifier)
        self._watcher.vanish(source)

    def _tell(self, before: set[SourceId], *, reached: bool) -> None:
        log = logger.bind(target=self._means.target)
        appeared = [source for identifier, source in self._found.items() if identifier not in before]
        if before or self._rounds:
            for source in appeared:
                log.info("data source found", **_identity(source))
        elif appeared:
            log.info("data sources found", count=len(appeared))
        if reached and self._rounds == 0 and self._rules is not None:
            for name in sorted(set(self._rules.names) - self._matched - self._walk.matched):
                log.warning("discovery filter matches nothing", filter=name, all_was_seen=not self._troubles.failed)
        self._rounds += reached


def _gone(missing: set[str], listing: Listing[Any], look_again: Callable[[], Listing[Any]]) -> set[str]:
    """Give those of the missing that have gone: they are listed and no longer wanted, or listed no more.

    Pages may shift under the reader and pass one over, so a listing of several is looked at again; and where an entry
    has no id, nobody can tell whose it is.
    """
    unlisted = missing - listing.items.keys()
    looks = [listing, look_again()] if unlisted and listing.pages > 1 else [listing]
    return missing - {id_ for id_ in unlisted if any(look.warnings or id_ in look.items for look in looks)}


def _identity(source: DataSource) -> dict[str, str | None]:
    return {"application": source.application, "data_source": source.name, "data_source_id": source.id.data_source_id}
