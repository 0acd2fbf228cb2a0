"""The content of the status page and of the JSON API, as one document of plain data.

The document is built from immutable snapshots. It does not wait for a poll, and no poll waits for it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from exporter.status.causes import shared_causes
from exporter.status.cooperative import ScrapePriority
from exporter.status.data_sources import assess, source_sort_key, source_to_json
from exporter.status.indexes import index_sort_key, index_to_json
from exporter.status.problems import problem_to_json
from exporter.status.query import STATES, is_in_state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.domain.model import SourceId
    from exporter.domain.snapshots import ContainerSnapshot, SourceSnapshot
    from exporter.runtime import ServiceClock
    from exporter.status.data_sources import AssessedSource, AssessmentSettings
    from exporter.status.health import ExporterHealth
    from exporter.status.query import Query

T_co = TypeVar("T_co", covariant=True)


class PublishedSnapshots(Protocol[T_co]):
    """The snapshots of one kind that the write half has published."""

    def snapshots(self) -> Sequence[tuple[T_co, ServiceClock]]:
        """Return the current snapshots, each with the clock of its service."""


class StatusDocument:
    """Builds documents about the published data sources and indexes. Thread-safe.

    Assessments are cached, because few sources change between two requests. A cached assessment is valid until another
    snapshot is published, or until time alone may change it (`AssessedSource.valid_until`).
    """

    def __init__(
        self,
        sources: PublishedSnapshots[SourceSnapshot],
        indexes: PublishedSnapshots[ContainerSnapshot],
        health: Callable[[], ExporterHealth],
        settings: AssessmentSettings,
        priority: ScrapePriority | None = None,
    ) -> None:
        self._sources = sources
        self._indexes = indexes
        self._health = health
        self._settings = settings
        self.priority = priority or ScrapePriority()
        self._cache: dict[SourceId, AssessedSource] = {}

    def use_settings(self, settings: AssessmentSettings) -> None:
        """Assess all sources with other settings."""
        self._settings, self._cache = settings, {}

    def refresh_cache(self) -> None:
        """Assess all changed sources, so that the next document does not have to, and release replaced snapshots."""
        self._assess_all(self._settings)

    def document(self, query: Query) -> dict[str, Any]:
        """Return the document for a query, as docs/api.schema.json describes it."""
        settings, health = self._settings, self._health()
        everything = self._assess_all(settings)
        matching = [pair for pair in self.priority.yielding(everything) if query.matches(pair[0])]
        matching.sort(key=lambda pair: source_sort_key(pair[0]))
        first = (query.page - 1) * query.page_size
        on_page = self.priority.yielding(matching[first : first + query.page_size])
        is_single = bool(query.data_source_id)
        published = self.priority.yielding(self._indexes.snapshots())
        found = [(index_to_json(snapshot), snapshot) for snapshot, _ in published]
        found.sort(key=lambda pair: index_sort_key(pair[0]))
        return {
            "as_of": health.now,
            "filters": query.filters,
            "matching": len(matching),
            "page": query.page,
            "page_size": query.page_size,
            "pages": -(-len(matching) // query.page_size),
            "summary": {
                **_summary(everything, health),
                "indexes": len(found),
                "index_problems": sum(bool(index["problems"]) for index, _ in found),
            },
            "causes": shared_causes(assessed.cause for assessed, _ in everything),
            "data_sources": [
                source_to_json(assessed, now, settings, with_all_logs=is_single) for assessed, now in on_page
            ],
            "indexes": [
                index for index, snapshot in found if query.selects(snapshot.id.service, snapshot.container_names())
            ],
            "exporter": _exporter(health),
        }

    def exporter(self) -> dict[str, Any]:
        """Return the part of the document about the exporter itself."""
        return _exporter(self._health())

    def source_id(self, data_source_id: str) -> SourceId | None:
        """Return the identity of a published data source; None if there is none with this id."""
        ids = (snapshot.source.id for snapshot, _ in self._sources.snapshots())
        return next((each for each in ids if each.data_source_id == data_source_id), None)

    def choices(self) -> dict[str, list[str]]:
        """Return the services, outermost containers and types in the last document, as choices for filters.

        The keys of the containers are the words of their services, such as `application`.
        """
        choices: dict[str, set[str]] = {"service": set()}
        for assessed in self._cache.values():
            choices["service"].add(assessed.service.name)
            choices.setdefault(assessed.service.root.word, set()).add(assessed.snapshot.names.root)
        choices["type"] = {assessed.type for assessed in self._cache.values()} - {""}
        return {name: sorted(values) for name, values in choices.items()}

    def _assess_all(self, settings: AssessmentSettings) -> list[tuple[AssessedSource, float]]:
        """Return each source, assessed again unless its cache entry is valid, with the time on its service's clock."""
        before, result = self._cache, []
        for snapshot, clock in self.priority.yielding(self._sources.snapshots()):
            now, assessed = clock.now(), before.get(snapshot.source.id)
            if assessed is None or assessed.snapshot is not snapshot or now >= assessed.valid_until:
                assessed = assess(snapshot, now, settings)
            result.append((assessed, now))
        if settings is self._settings:  # otherwise a reload has replaced the settings in the meantime
            self._cache = {assessed.snapshot.source.id: assessed for assessed, _ in result}
        return result


def _summary(everything: Sequence[tuple[AssessedSource, float]], health: ExporterHealth) -> dict[str, int]:
    counts = Counter(state for assessed, _ in everything for state in STATES if is_in_state(assessed, state))
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
        "problems": [problem_to_json(problem) for problem in health.problems()],
        "targets": [target.to_json() for target in health.targets],
        "replicas": [
            {"name": each.name, "address": each.address, "this": each.is_this, "targets": list(each.targets)}
            for each in health.replicas
        ],
        "state": {"path": health.state_path, "written": health.state_is_written},
        "configuration": {
            "file": health.config_file,
            "current": health.config_is_current,
            "loaded_at": health.config_loaded_at,
        },
    }
