"""Everything that the page and the JSON say, as one document of plain data.

It is made from immutable snapshots: nothing here waits for a poll, and no poll waits for it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from exporter.status.cooperative import yielding_gil
from exporter.status.data_sources import assess, describe, urgency
from exporter.status.indexes import describe_index, fullness
from exporter.status.query import STATES, is_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.domain.model import SourceId
    from exporter.domain.snapshots import IndexSnapshot, SourceSnapshot
    from exporter.status.data_sources import AssessedSource, AssessmentSettings
    from exporter.status.health import ExporterHealth
    from exporter.status.query import Query

RESTS = 20  # in a row without a question, after which none is expected soon: `cli` counts one each 15 seconds

T_co = TypeVar("T_co", covariant=True)


class ServiceClock(Protocol):
    """The clock of the service that a snapshot was read from."""

    def now(self) -> float:
        """Give seconds since the epoch."""


class Shown(Protocol[T_co]):
    """Where snapshots are published."""

    def snapshots(self) -> Sequence[tuple[T_co, ServiceClock]]:
        """Give all that is shown now, each with its service's clock."""


class StatusDocument:
    """Answers queries about everything that is watched; may be asked from several threads at once."""

    def __init__(
        self,
        sources: Shown[SourceSnapshot],
        indexes: Shown[IndexSnapshot],
        health: Callable[[], ExporterHealth],
        settings: AssessmentSettings,
    ) -> None:
        self._sources = sources
        self._indexes = indexes
        self._health = health
        self._settings = settings
        self._kept: dict[SourceId, AssessedSource] = {}
        self._rests = 0

    def declare(self, settings: AssessmentSettings) -> None:
        """Judge by other terms."""
        self._settings, self._kept = settings, {}

    def rest(self) -> None:
        """Take note that some time has passed; where nobody has asked for long, let go of what was kept for the next.

        It holds the snapshots that it was made from, which by then are others.
        """
        self._rests += 1
        if self._rests > RESTS:
            self._kept = {}

    def document(self, query: Query) -> dict[str, Any]:
        """Give what a query asks for."""
        self._rests = 0
        settings, health = self._settings, self._health()
        everything = self._assess(settings)
        wanted = sorted(
            (each for each in yielding_gil(everything) if query.wants(each[0])), key=lambda each: urgency(each[0])
        )
        begin = (query.page - 1) * query.page_size
        on_page = yielding_gil(wanted[begin : begin + query.page_size])
        shown = yielding_gil(self._indexes.snapshots())
        indexes = sorted((describe_index(snapshot) for snapshot, _ in shown), key=fullness)
        return {
            "as_of": health.now,
            "filters": query.filters,
            "matching": len(wanted),
            "page": query.page,
            "page_size": query.page_size,
            "pages": -(-len(wanted) // query.page_size),
            "summary": {
                **_summary(everything, health),
                "indexes": len(indexes),
                "index_problems": sum(bool(index["problems"]) for index in indexes),
            },
            "data_sources": [describe(assessed, now, settings) for assessed, now in on_page],
            "indexes": [index for index in indexes if query.application in {"", index["application"]}],
            "exporter": _exporter(health),
        }

    def choices(self) -> dict[str, list[str]]:
        """Give the applications and types that there are, to choose from."""
        kept = self._kept.values()
        applications = {assessed.snapshot.names.application for assessed in kept}
        return {"application": sorted(applications), "type": sorted({assessed.type for assessed in kept} - {""})}

    def _assess(self, settings: AssessmentSettings) -> list[tuple[AssessedSource, float]]:
        """Judge every source; one that is as it was costs nothing."""
        before, assessed = self._kept, []
        for snapshot, clock in yielding_gil(self._sources.snapshots()):
            now, old = clock.now(), before.get(snapshot.source.id)
            is_good = old is not None and old.snapshot is snapshot and now < old.until
            assessed.append((old if old and is_good else assess(snapshot, now, settings), now))
        if settings is self._settings:
            self._kept = {each.snapshot.source.id: each for each, _ in assessed}
        return assessed


def _summary(everything: Sequence[tuple[AssessedSource, float]], health: ExporterHealth) -> dict[str, int]:
    counts = Counter(state for assessed, _ in everything for state in STATES if is_in(assessed, state))
    watched = sum(target.data_sources for target in health.targets)
    return {
        "data_sources": len(everything),
        "unsettled": max(0, watched - len(everything)),
        **{state: counts[state] for state in STATES},
    }


def _exporter(health: ExporterHealth) -> dict[str, Any]:
    return {
        "version": health.version,
        "revision": health.revision,
        "started_at": health.started_at,
        "ready": health.unready is None,
        "unready": health.unready,
        "problems": [asdict(problem) for problem in health.problems()],
        "targets": [asdict(target) for target in health.targets],
        "state": {"path": health.state_path, "written": health.state_is_written},
        "configuration": {
            "file": health.config_file,
            "current": health.config_is_current,
            "loaded_at": health.config_loaded_at,
        },
    }
