"""The objectives of one data source: the first matching entry of the configuration, then the defaults."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Protocol

from exporter.domain.schedules.punctuality import GapOrigin, configured_gap
from exporter.domain.units import DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.domain.snapshots import SourceSnapshot

DEFAULT_MAX_DURATION = DAY
DEFAULT_MAX_FAILED_RATIO = 0.05
DEFAULT_MIN_DOCUMENTS_SCANNED = 1
SYNC_ALLOWANCE = HOUR  # for the sync itself, in addition to two gaps of the schedule, which allow for a missed firing


class SourceMatch(Protocol):
    """The data sources to which an objective applies. Every glob that is set must match."""

    @property
    def service(self) -> str | None:
        """The glob for the service."""

    @property
    def containers(self) -> Mapping[str, str]:
        """The globs for the display names of containers, by the words of their levels, such as `application`."""

    @property
    def data_source(self) -> str | None:
        """The glob for the data source's display name."""

    @property
    def data_source_id(self) -> str | None:
        """The glob for the data source's id."""

    @property
    def type(self) -> str | None:
        """The glob for the data source's type."""

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels that the data source must have, each with a glob for its value."""

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags that the data source must have, each with a glob for its value."""


class ObjectiveRule(Protocol):
    """One entry of the configuration's `objectives`; None means that the default applies."""

    @property
    def match(self) -> SourceMatch:
        """The data sources that the entry applies to."""

    @property
    def expected_every(self) -> float | None:
        """The longest time between the starts of two syncs, in seconds."""

    @property
    def max_success_age(self) -> float | None:
        """The longest time since a successful sync, in seconds."""

    @property
    def max_duration(self) -> float | None:
        """The longest time that a sync may take, in seconds."""

    @property
    def max_failed_ratio(self) -> float | None:
        """The largest share of failed documents."""

    @property
    def min_documents_scanned(self) -> float | None:
        """The number of documents that a successful sync is expected to scan."""

    @property
    def min_index_documents(self) -> float | None:
        """The number of documents that the index of the data source is expected to hold."""


@dataclass(frozen=True, slots=True)
class Objectives:
    """The objectives of one data source. Without a schedule or a configured age, there is no maximum age.

    `expected_every` is the longest time between the starts of two syncs that the configuration allows.
    `min_index_documents` is about the index that the data source feeds. `follows_schedule` is true if the success age
    is derived from the schedule.
    """

    max_success_age: float | None
    max_duration: float
    max_failed_ratio: float
    min_documents_scanned: float
    expected_every: float | None = None
    min_index_documents: float | None = None
    follows_schedule: bool = False


def objectives_for(snapshot: SourceSnapshot, rules: Iterable[ObjectiveRule], longest_gap: float | None) -> Objectives:
    """Return the objectives that apply to a data source.

    `longest_gap` is the longest time between two firings of its schedule, in seconds; None without firings.
    """
    rule = next((rule for rule in rules if matches(rule.match, snapshot)), None)
    gap = configured_gap(longest_gap, rule.expected_every if rule else None)
    follows_schedule = gap is not None and gap.origin is GapOrigin.SCHEDULE
    by_gap = None if gap is None else 2 * gap.seconds + SYNC_ALLOWANCE
    defaults = Objectives(
        by_gap,
        DEFAULT_MAX_DURATION,
        DEFAULT_MAX_FAILED_RATIO,
        DEFAULT_MIN_DOCUMENTS_SCANNED,
        follows_schedule=follows_schedule,
    )
    if rule is None:
        return defaults
    return Objectives(
        rule.max_success_age or by_gap,
        _or_default(rule.max_duration, DEFAULT_MAX_DURATION),
        _or_default(rule.max_failed_ratio, DEFAULT_MAX_FAILED_RATIO),
        _or_default(rule.min_documents_scanned, DEFAULT_MIN_DOCUMENTS_SCANNED),
        rule.expected_every,
        rule.min_index_documents,
        follows_schedule=follows_schedule and not rule.max_success_age,
    )


def matches(match: SourceMatch, snapshot: SourceSnapshot) -> bool:
    """Return whether every glob that is set matches.

    A type that AWS has not reported yet is treated as empty, and unknown tags as no tags.
    """
    service, names = snapshot.source.id.service, snapshot.container_names()
    globs = (
        (match.service, service.name),
        *((glob, names.get(word)) for word, glob in match.containers.items()),
        (match.data_source, snapshot.names.data_source),
        (match.data_source_id, snapshot.source.id.data_source_id),
        (match.type, snapshot.description.type if snapshot.description else ""),
    )
    return (
        all(glob is None or (text is not None and fnmatchcase(text, glob)) for glob, text in globs)
        and _have(dict(snapshot.source.labels), match.labels)
        and _have(dict(snapshot.tags), match.tags)
    )


def _have(values: Mapping[str, str], globs: Mapping[str, str]) -> bool:
    """Return whether every name has a value that its glob matches."""
    return all(name in values and fnmatchcase(values[name], glob) for name, glob in globs.items())


def _or_default(value: float | None, default: float) -> float:
    return default if value is None else value
