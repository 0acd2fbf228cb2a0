"""Which of the data sources that are found are wanted. Pure: it is told what is known, and never asks.

What is not known yet may matter or not, so an answer is yes, no, or None for "it depends": before a listing is asked
for, and before tags are.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.config import DiscoveryConfig, Matcher

GLOBS = ("application", "index", "data_source", "type")


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is known of a data source that may be wanted; None is not known."""

    application: str
    index: str | None = None
    data_source: str | None = None
    type: str | None = None
    tags: Mapping[str, str] | None = None


class SourceFilters:
    """The filters of one target's discovery."""

    def __init__(self, discovery: DiscoveryConfig) -> None:
        self._include = {f"include[{n}] {describe(matcher)}": matcher for n, matcher in enumerate(discovery.include)}
        self._exclude = {f"exclude[{n}] {describe(matcher)}": matcher for n, matcher in enumerate(discovery.exclude)}
        self.tag_labels = discovery.tag_labels
        self._tags = {key for matcher in (*discovery.include, *discovery.exclude) for key in matcher.tags}

    @property
    def names(self) -> tuple[str, ...]:
        """Give every filter as a person would write it."""
        return (*self._include, *self._exclude)

    def match(self, candidate: Candidate) -> bool | None:
        """Tell whether a data source is wanted: included by one filter, or there is none, and excluded by none."""
        included = _any(matches(matcher, candidate) for matcher in self._include.values()) if self._include else True
        excluded = _any(matches(matcher, candidate) for matcher in self._exclude.values())
        if included is False or excluded is True:
            return False
        return None if included is None or excluded is None else True

    def matching(self, candidate: Candidate, *, surely: bool) -> set[str]:
        """Give the filters that match a candidate, with those that may."""
        verdicts = {name: matches(matcher, candidate) for name, matcher in {**self._include, **self._exclude}.items()}
        return {name for name, verdict in verdicts.items() if verdict or (verdict is None and not surely)}

    def relevant(self, tags: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Give those tags that a filter or a label looks at; nobody needs the others."""
        return tuple(sorted((key, value) for key, value in tags.items() if key in self._tags or key in self.tag_labels))

    def label_tags(self, tags: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """Return the tags that are published as labels."""
        return tuple((key, value) for key, value in tags if key in self.tag_labels)


def matches(matcher: Matcher, candidate: Candidate) -> bool | None:
    """Tell whether all that a filter gives matches."""
    verdicts = [_glob(getattr(matcher, name), getattr(candidate, name)) for name in GLOBS]
    for key, pattern in matcher.tags.items():
        verdicts.append(
            None if candidate.tags is None else _glob(pattern, candidate.tags.get(key, "")) and key in candidate.tags
        )
    if False in verdicts:
        return False
    return None if None in verdicts else True


def describe(matcher: Matcher) -> str:
    """Write a filter as its author did."""
    given = {name: getattr(matcher, name) for name in GLOBS if getattr(matcher, name) is not None}
    given |= {f"tags.{key}": pattern for key, pattern in matcher.tags.items()}
    return ", ".join(f"{name}: {pattern}" for name, pattern in given.items())


def _glob(pattern: str | None, text: str | None) -> bool | None:
    if pattern is None or pattern == "*":
        return True
    return None if text is None else fnmatchcase(text, pattern)


def _any(verdicts: Iterable[bool | None]) -> bool | None:
    verdicts = list(verdicts)
    if True in verdicts:
        return True
    return None if None in verdicts else False
