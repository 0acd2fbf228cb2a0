"""Selects the data sources of a container that the filters match, and requests the properties that are needed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.discovery.filters import Candidate
from exporter.domain.service import ArnScope, Use
from exporter.errors import ProviderError, Reason

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from exporter.discovery.crawler import ContainerContents
    from exporter.discovery.failures import DiscoveryFailures
    from exporter.discovery.filters import SourceFilters
    from exporter.discovery.source_descriptions import SourceDescriptions
    from exporter.discovery.tag_cache import TagCache
    from exporter.discovery.tag_keys import TagKeys
    from exporter.domain.model import ContainerFacts, ContainerId, Description, SourceId
    from exporter.domain.snapshots import ContainerSnapshot, SavedSource
    from exporter.target.location import TargetLocation


class SourceSelector:
    """Selects data sources by the filters of a target; without filters it selects none."""

    def __init__(  # noqa: PLR0913, PLR0917 (what it matches, and where that comes from)
        self,
        filters: SourceFilters | None,
        tag_keys: TagKeys,
        named: Container[SourceId],
        tags: TagCache,
        descriptions: SourceDescriptions,
        failures: DiscoveryFailures,
        location: TargetLocation,
    ) -> None:
        """Create the selector; `named` are the sources of the configuration, to which the filters do not apply."""
        self._filters = filters
        self._tag_keys = tag_keys
        self._named = named
        self._tags = tags
        self._descriptions = descriptions
        self._failures = failures
        self._location = location
        self._matched: set[str] = set()
        # The filters match the names that AWS lists. The published display names can be older.
        self._listed_names: dict[ContainerId, str] = {}

    def resume(self, before: SourceSelector) -> None:
        """Continue with the names and the descriptions that another selector has recorded."""
        self._descriptions.adopt(before._descriptions)
        self._listed_names |= before._listed_names

    def record_names(self, contents: ContainerContents) -> None:
        """Record the listed names of a container and of the containers around it."""
        names = zip(contents.id.with_parents(), contents.names, strict=True)
        self._listed_names |= {container: name for container, name in names if name}

    def select(self, contents: ContainerContents) -> dict[SourceId, Description | None]:
        """Return the selected sources of a container; the description is None if a needed property is unknown."""
        selected: dict[SourceId, Description | None] = {}
        if contents.listing is not None:
            self._descriptions.retain(contents.id, contents.listing.items)
        if self._filters is None:
            return selected
        for identifier, listed in (contents.listing.items if contents.listing else {}).items():
            source = contents.id.source(identifier)
            if source not in self._named:
                is_selected, description = self._match(self._filters, contents, source, listed)
                if is_selected:
                    selected[source] = description
        return selected

    def _match(
        self, filters: SourceFilters, contents: ContainerContents, source: SourceId, listed: Description
    ) -> tuple[bool, Description | None]:
        """Match a source; request its type and its tags if a filter, a label or an objective needs them.

        If a needed property is unknown, the source is selected without a description, and so remains watched or
        unwatched.
        """
        candidate = Candidate(contents.id.service.by_word(contents.names), listed.name, listed.type or None)
        description: Description | None = listed
        matched = filters.match(candidate)
        if matched is None and candidate.type is None:
            described = self._request_description(contents, source, listed)
            if described is not None:
                description, candidate = described, replace(candidate, type=described.type)
                matched = filters.match(candidate)
        if matched is None or (matched and self._tag_keys.are_needed_of_all):
            tags = self._request_tags(contents, source, listed)
            candidate = replace(candidate, tags=tags)
            matched = filters.match(candidate)
            description = None if tags is None else replace(description or listed, tags=self._tag_keys.used(tags))
        self._matched |= filters.matching(candidate, include_unknown=True)
        return matched is not False, None if matched is None else description

    def selects(self, saved: SavedSource) -> bool:
        """Return whether the filters match the known properties of a source, or may match its unknown tags."""
        source, description = saved.source, saved.description
        if self._filters is None or source.id in self._named:
            return False
        if not self._filters.names:
            return True
        names = self._names(source.id.container, source.root or "", saved.container)
        tags = self._tags.last_known(source.id) or dict(description.tags) or None
        candidate = Candidate(names, description.name or source.name or "", description.type or None, tags)
        return self._filters.match(candidate) is not False

    def may_select_container(self, published: ContainerSnapshot) -> bool:
        """Return whether the filters may match sources of a published container."""
        if self._filters is None:
            return False
        names = self._names(published.id, published.root, published.name)
        return self._filters.match(Candidate(names)) is not False

    def describe_named(self, contents: ContainerContents, source: SourceId) -> Description | None:
        """Return the listed properties of a named source, with its tags if a label or an objective needs them."""
        listed = contents.listing.items.get(source.data_source_id) if contents.listing else None
        if listed is None or not self._tag_keys.are_needed_of_all:
            return listed
        return replace(listed, tags=self._tag_keys.used(self._request_tags(contents, source, listed) or {}))

    def filters(self) -> list[str]:
        """Return the names of the filters."""
        return sorted(self._filters.names) if self._filters else []

    def unmatched_filters(self, matched_by_crawler: set[str]) -> list[str]:
        """Return the filters that have matched nothing so far, either here or in the crawler."""
        return sorted(set(self._filters.names) - self._matched - matched_by_crawler) if self._filters else []

    def _names(self, container: ContainerId, root: str, name: str) -> dict[str, str]:
        """Return the names of a container and of those around it by their words: listed names, else given ones."""
        path = container.with_parents()
        given = {path[0]: root, path[-1]: name}
        return container.service.by_word([self._listed_names.get(each, given.get(each, "")) for each in path])

    def _request_description(
        self, contents: ContainerContents, source: SourceId, listed: Description
    ) -> Description | None:
        """Return the listed properties of a source, with its type; None if the request fails."""
        with self._failures.isolate(f"types of data sources of {contents}"):
            return self._descriptions.complete(source, listed)
        return None

    def _request_tags(
        self, contents: ContainerContents, source: SourceId, listed: Description
    ) -> Mapping[str, str] | None:
        """Return the tags of a source, from the last request if the container is unknown or this request fails."""
        if contents.facts is not None:
            with self._failures.isolate(f"tags of data sources of {contents}"):
                return self._tags.get(source, self._arn_scope(source, contents.facts), listed.updated)
        return self._tags.last_known(source)

    def _arn_scope(self, source: SourceId, container: ContainerFacts) -> ArnScope:
        """Return the scope of the ARN of a source; raise ProviderError if its account is unknown.

        It is taken from the ARN of its container, which not every service reports, or else from the target.
        """
        scope = ArnScope.of(container.arn) or self._location.arn_scope
        if scope is None:
            message = (
                "the ARN of a data source needs the account id, which STS has not returned: set role_arn, or allow "
            )
            raise ProviderError(
                Reason.CONNECTION, f"{message}requests to STS", operation=source.service.action(Use.TAGS)
            )
        return scope
