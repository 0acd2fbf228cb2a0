"""The objectives of one data source: the first configured one that matches, then the defaults."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Protocol

from exporter.domain.units import DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.domain.snapshots import SourceSnapshot

DEFAULT_MAX_DURATION = DAY
DEFAULT_MAX_FAILED_RATIO = 0.05
DEFAULT_MIN_DOCUMENTS_SCANNED = 1
GRACE = HOUR  # on top of two schedule gaps: room for one missed firing and for the duration of the sync itself


class SourceMatch(Protocol):
    """The data sources that an objective applies to, by globs; every glob that is set must match."""

    @property
    def application(self) -> str | None:
        """The glob for the application's display name."""

    @property
    def data_source(self) -> str | None:
        """The glob for the data source's display name."""

    @property
    def type(self) -> str | None:
        """The glob for the data source's type."""

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels that the data source must have, each with a glob for its value."""


class ObjectiveRule(Protocol):
    """One entry of the configuration's `objectives`; None means that the default applies."""

    @property
    def match(self) -> SourceMatch:
        """The data sources that the entry applies to."""

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


@dataclass(frozen=True, slots=True)
class Objectives:
    """The objectives of one data source; no age if neither schedule nor configuration implies one."""

    max_success_age: float | None
    max_duration: float
    max_failed_ratio: float
    min_documents_scanned: float


def objectives_for(snapshot: SourceSnapshot, rules: Iterable[ObjectiveRule], longest_gap: float | None) -> Objectives:
    """Return the objectives that apply to a data source.

    `longest_gap` is the longest time between two firings of its schedule, in seconds; None if it does not fire.
    """
    rule = next((rule for rule in rules if matches(rule.match, snapshot)), None)
    by_schedule = None if longest_gap is None else 2 * longest_gap + GRACE
    if rule is None:
        return Objectives(by_schedule, DEFAULT_MAX_DURATION, DEFAULT_MAX_FAILED_RATIO, DEFAULT_MIN_DOCUMENTS_SCANNED)
    return Objectives(
        rule.max_success_age or by_schedule,
        _or_default(rule.max_duration, DEFAULT_MAX_DURATION),
        _or_default(rule.max_failed_ratio, DEFAULT_MAX_FAILED_RATIO),
        _or_default(rule.min_documents_scanned, DEFAULT_MIN_DOCUMENTS_SCANNED),
    )


def matches(match: SourceMatch, snapshot: SourceSnapshot) -> bool:
    """Return whether every glob that is set matches; a type that AWS has not reported yet counts as empty."""
    globs = (
        (match.application, snapshot.names.application),
        (match.data_source, snapshot.names.data_source),
        (match.type, snapshot.description.type if snapshot.description else ""),
    )
    labels = dict(snapshot.source.labels)
    return all(glob is None or fnmatchcase(text, glob) for glob, text in globs) and all(
        name in labels and fnmatchcase(labels[name], glob) for name, glob in match.labels.items()
    )


def _or_default(value: float | None, default: float) -> float:
    return default if value is None else value
