"""The filters of discovery, as pure functions of the known properties of a data source.

Properties become known step by step: a listing of applications has only the name of the application, and tags need a
separate request. So each result is True, False, or None if it depends on a property that is not known yet. For
example, `include: [{application: "intranet*", tags: {team: hr}}]` returns False for the application `support`, whose
indexes are then not listed, and None for `intranet`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.config import DiscoveryConfig, Matcher


@dataclass(frozen=True, slots=True)
class Candidate:
    """The known properties of a data source, or of all data sources of a container; None means unknown.

    `names` are the display names of its containers by the words of their levels, such as `application`. A missing name
    is unknown.
    """

    names: Mapping[str, str]
    data_source: str | None = None
    type: str | None = None
    tags: Mapping[str, str] | None = None

    def property(self, key: str) -> str | None:
        """Return the property to which a key of a filter applies."""
        own = {"data_source": self.data_source, "type": self.type}
        return own[key] if key in own else self.names.get(key)


class SourceFilters:
    """The filters of one target's discovery."""

    def __init__(self, discovery: DiscoveryConfig) -> None:
        self._include = {f"include[{n}] {describe(matcher)}": matcher for n, matcher in enumerate(discovery.include)}
        self._exclude = {f"exclude[{n}] {describe(matcher)}": matcher for n, matcher in enumerate(discovery.exclude)}

    @property
    def names(self) -> tuple[str, ...]:
        """All filters by name, for example `include[0] application: intranet*`."""
        return (*self._include, *self._exclude)

    def match(self, candidate: Candidate) -> bool | None:
        """Return whether any include filter matches, or none is configured, and whether no exclude filter matches."""
        included = _any(matches(matcher, candidate) for matcher in self._include.values()) if self._include else True
        excluded = _any(matches(matcher, candidate) for matcher in self._exclude.values())
        if included is False or excluded is True:
            return False
        return None if included is None or excluded is None else True

    def matching(self, candidate: Candidate, *, include_unknown: bool) -> set[str]:
        """Return the names of the filters that match, and with `include_unknown` of those that may match."""
        results = {name: matches(matcher, candidate) for name, matcher in {**self._include, **self._exclude}.items()}
        return {name for name, result in results.items() if result or (result is None and include_unknown)}


def matches(matcher: Matcher, candidate: Candidate) -> bool | None:
    """Return whether all globs of a filter match."""
    results = [_glob(pattern, candidate.property(key)) for key, pattern in matcher.globs.items()]
    for key, pattern in matcher.tags.items():
        results.append(
            None if candidate.tags is None else _glob(pattern, candidate.tags.get(key, "")) and key in candidate.tags
        )
    if False in results:
        return False
    return None if None in results else True


def describe(matcher: Matcher) -> str:
    """Return a filter in the notation of the configuration, for example `application: x*, tags.team: hr`."""
    globs = {**matcher.globs, **{f"tags.{key}": pattern for key, pattern in matcher.tags.items()}}
    return ", ".join(f"{name}: {pattern}" for name, pattern in globs.items())


def _glob(pattern: str, text: str | None) -> bool | None:
    if pattern == "*":
        return True
    return None if text is None else fnmatchcase(text, pattern)


def _any(results: Iterable[bool | None]) -> bool | None:
    results = list(results)
    if True in results:
        return True
    return None if None in results else False
