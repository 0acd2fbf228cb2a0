"""Reconciles the data sources of a target with the listings of the crawler.

A run that fails partially removes nothing by mistake. A source is removed only if a successful listing does not contain
it or a container around it, or if the filters no longer match it. Resources that cannot be listed stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from exporter.discovery.crawler import ContainerContents, Containers, Crawler
from exporter.discovery.failures import DiscoveryFailures
from exporter.discovery.inventory import Inventory
from exporter.discovery.run_log import RunLog
from exporter.discovery.selector import SourceSelector
from exporter.discovery.source_descriptions import SourceDescriptions
from exporter.discovery.watch_start import WatchStart
from exporter.domain.model import ContainerId, DataSource

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Sequence

    from exporter.discovery.filters import SourceFilters
    from exporter.discovery.observer import DiscoveryObserver
    from exporter.discovery.tag_cache import TagCache
    from exporter.discovery.tag_keys import TagKeys
    from exporter.domain.clock_check import ClockReading
    from exporter.domain.model import Description, SourceId
    from exporter.domain.snapshots import ContainerSnapshot, SavedSource
    from exporter.domain.unreadable import UnreadableResource
    from exporter.providers import Listing
    from exporter.target.context import TargetContext

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Scope:
    """The filters of discovery (None if it is disabled), the named data sources, and the tags that are used."""

    filters: SourceFilters | None
    named: tuple[DataSource, ...]
    tag_keys: TagKeys


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a run: whether it succeeded completely, whether AWS could be reached, and the failures."""

    complete: bool
    reached_aws: bool
    unreadable: tuple[UnreadableResource, ...] = field(default=(), compare=False)


class Reconciler:
    """Reconciles one target."""

    def __init__(self, context: TargetContext, observer: DiscoveryObserver, scope: Scope, tags: TagCache) -> None:
        self._context = context
        self._observer = observer
        self._named = {source.id: source for source in scope.named}
        self.tags = tags
        self._failures = DiscoveryFailures(context.target)
        self._crawler = Crawler(context.service, context.provider, scope.filters, tuple(self._named), self._failures)
        self._descriptions = SourceDescriptions(context.provider)
        self.selector = SourceSelector(
            scope.filters, scope.tag_keys, self._named, tags, self._descriptions, self._failures, context.location
        )
        self._inventory = Inventory(context, observer, tags, (source.container for source in self._named))
        self._watch_start = WatchStart(context)
        self._has_reached_aws = False
        self._listed = 0  # data sources in the listings of the run in progress
        self._discovered = 0  # and of the last complete run
        self._log = RunLog(context)

    def resume(
        self,
        before: Sequence[Reconciler] = (),
        found: Iterable[SavedSource] = (),
        excluded: Container[SourceId] = (),
    ) -> None:
        """Continue with the known sources and containers that the filters still match, without a request to AWS.

        After a reload, `before` are the reconcilers that this one continues, and `found` are their sources. `excluded`
        are the sources of other replaced targets. After a start, all of these are empty, and the saved sources are
        used.
        """
        for reconciler in before:
            self.selector.resume(reconciler.selector)
            self.tags.adopt(reconciler.tags)
        self._add(found)
        self.add_saved(excluded)
        for reconciler in before:
            self._inventory.adopt_containers(reconciler.published(), self.selector.may_select_container)
        if before:
            self._discovered, self._log.is_empty = before[0].discovered(), before[0].is_empty
        elif count := len(self._inventory.sources):
            logger.info("continuing with saved data sources", target=self._context.target, count=count)

    def add_saved(self, excluded: Container[SourceId] = ()) -> None:
        """Add the saved sources of the target's service and location, and remove sources of another location.

        Before the account is known, the last sources of the target with this name are used. If the account proves to be
        another one, they do not belong to this target.
        """
        self._inventory.remove_unlisted_elsewhere()
        saved = self._context.store.saved_sources(self._context.target, self._context.location.known)
        own = (each for each in saved if each.source.id.service is self._context.service)
        self._add(each for each in own if each.source.id not in excluded)

    def _add(self, found: Iterable[SavedSource]) -> None:
        for saved in found:
            source = DataSource(self._context.target, saved.source.id, saved.source.root, saved.source.name)
            if source.id not in self._inventory.sources and self.selector.selects(saved):
                since = saved.watched_since
                self._inventory.add(source, since and since.after_restart(), saved)

    def published(self) -> dict[ContainerId, ContainerSnapshot]:
        """Return the published containers."""
        return dict(self._inventory.published)

    def discovered(self) -> int:
        """Return the number of data sources that the last complete run listed, before filters."""
        return self._discovered

    @property
    def is_empty(self) -> bool:
        """Whether the last complete run has left the target without data sources."""
        return self._log.is_empty

    def reconcile(self) -> RunResult:
        """Run once."""
        before, reached_aws, self._listed = set(self._inventory.sources), False, 0
        self._failures.start_run()
        with self._failures.isolate_run():
            for found in self._crawler.crawl():
                if not reached_aws:
                    self._watch_start.begin_run()
                reached_aws = True
                if self._observer.stopping:
                    break
                self._reconcile_found(found)
        self._failures.end_run()
        added = [source for identifier, source in self._inventory.sources.items() if identifier not in before]
        self._log.added(added, is_first=not before and not self._has_reached_aws)
        if reached_aws and not self._has_reached_aws:
            unmatched = self.selector.unmatched_filters(self._crawler.matched)
            self._log.unmatched_filters(unmatched, is_complete=not self._failures.failed)
        self._has_reached_aws |= reached_aws
        is_complete = not self._failures.failed and not self._observer.stopping
        if is_complete:
            self._discovered = self._listed
            is_empty = not self._inventory.sources and not self._named
            self._log.emptiness(is_empty=is_empty, filters=self.selector.filters(), listed=self._discovered)
        return RunResult(is_complete, reached_aws, self._failures.unreadable())

    def _reconcile_found(self, found: Containers | ContainerContents) -> None:
        match found:
            case Containers(None, _, _):
                self._remove_missing_containers(found)
            case Containers(ContainerId() as parent, _, _):
                plural = self._context.service.levels[len(parent.path)].plural
                with self._failures.isolate(f"{plural} of {parent.level.text} {parent.own}"):
                    self._remove_missing_containers(found)
            case ContainerContents():
                with self._failures.isolate(f"names of {found}"):
                    self._reconcile_contents(found)

    def _remove_missing_containers(self, found: Containers) -> None:
        """Remove the containers that are certainly not in a listing, or not selected."""
        parent, depth = found.parent, len(found.parent.path) if found.parent else 0
        known = [each for each in self._inventory.containers() if parent is None or each.is_in(parent)]
        selected = {each.own for each in found.selected}
        missing = {each.path[depth] for each in known} - selected
        missing = _confirm_missing(missing, found.listing, lambda: self._context.provider.containers(parent))
        self._inventory.remove_containers({each for each in known if each.path[depth] in missing})

    def _reconcile_contents(self, contents: ContainerContents) -> None:
        self.selector.record_names(contents)
        if contents.facts:
            self._context.location.observe(contents.facts.arn)
            self._watch_start.first_watched()
        root, name = self._root_name(contents), self._container_name(contents)
        if contents.facts:
            self._inventory.publish_container(contents.id, root, name, contents.facts)
        for source in self._named.values():
            if source.id.container == contents.id:
                self._observer.describe(source, name, self.selector.describe_named(contents, source.id))
        if contents.listing is not None:
            self._listed += len(contents.listing.items)
            selected = self.selector.select(contents)
            for identifier, description in selected.items():
                if description is not None:
                    self._reconcile_source(identifier, root, name, description)
            self._remove_missing(contents, contents.listing, selected)

    def _root_name(self, contents: ContainerContents) -> str:
        """Return the display name of the outermost container: the configured one, else the resolved one."""
        root = contents.id.with_parents()[0]
        configured = (source.root for source in self._named.values() if source.id.root == root)
        name = next((name for name in configured if name), None)
        request = self._context.provider.container_name
        return name or self._context.names.container(root, lambda: contents.names[0] or request(root))

    def _container_name(self, contents: ContainerContents) -> str:
        request = self._context.provider.container_name
        return self._context.names.container(contents.id, lambda: contents.names[-1] or request(contents.id))

    def _reconcile_source(self, identifier: SourceId, root: str, container: str, listed: Description) -> None:
        sources = self._inventory.sources
        self._inventory.mark_listed(identifier)
        if identifier not in sources:
            name = self._context.names.data_source(identifier, lambda: listed.name or identifier.data_source_id)
            source = DataSource(self._context.target, identifier, root, name)
            self._inventory.add(source, self._counts_from(identifier, listed), None)
        if identifier in sources:
            self._observer.describe(sources[identifier], container, listed)

    def _counts_from(self, identifier: SourceId, listed: Description) -> ClockReading:
        """Return the time since which the jobs of a new source count; request its creation time if that is needed.

        If AWS refuses the request, the source counts from this run. After any other failure, the next run adds the
        source.
        """
        created = listed.created
        if created is None and self._watch_start.depends_on_creation():
            with self._failures.isolate(f"creation of data source {identifier.own}", refusals_only=True):
                created = self._descriptions.complete(identifier, listed).created
        return self._watch_start.counts_from(created)

    def _remove_missing(
        self, contents: ContainerContents, listing: Listing[Description], selected: Container[SourceId]
    ) -> None:
        """Remove the sources that a container no longer has, and those that are no longer selected."""
        known = (source for source in self._inventory.sources if source.container == contents.id)
        missing = {source.data_source_id for source in known if source not in selected}
        for removed in sorted(
            _confirm_missing(missing, listing, lambda: self._context.provider.data_sources(contents.id))
        ):
            self._inventory.remove(contents.id.source(removed))


def _confirm_missing(missing: set[str], listing: Listing[Any], list_again: Callable[[], Listing[Any]]) -> set[str]:
    """Return the missing ids that are certainly not listed, and those that are listed but not selected.

    If entries are added or removed while pages are read, an entry can move to a page that was read already, and no page
    contains it. So a listing of several pages is requested again before anything is removed. An entry without an id may
    be any of the unlisted sources, so none of them is removed.
    """
    unlisted = missing - listing.items.keys()
    listings = [listing, list_again()] if unlisted and listing.pages > 1 else [listing]
    return missing - {id_ for id_ in unlisted if any(each.warnings or id_ in each.items for each in listings)}
