"""Saves and publishes watched data sources."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.domain.clock_check import ClockReading
from exporter.domain.model import DataSource
from exporter.domain.snapshots import SavedSource, SourceSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.domain.model import Names
    from exporter.polling.objective_recorder import ObjectiveRecorder
    from exporter.polling.source_state import SourceState
    from exporter.target.context import TargetContext

Tags = tuple[tuple[str, str], ...]


class SourcePublisher:
    """Makes the snapshots of a target's data sources, and passes them to the publisher of the target."""

    def __init__(
        self,
        context: TargetContext,
        objectives: ObjectiveRecorder,
        label_tags: Callable[[Tags], Tags] | None = None,
    ) -> None:
        """Publish to the context's publisher; `label_tags` are the tags that become labels, None for all tags."""
        self._context = context
        self._objectives = objectives
        self._label_tags = label_tags

    def publish(self, state: SourceState, names: Names) -> None:
        """Save a source as it was found, then publish its snapshot. The caller holds the mutex of the state."""
        snapshot = self._snapshot(state, names)
        objectives = self._objectives.record(state.objectives, snapshot, self._context.provider.clock.now())
        if objectives != state.objectives:
            state.objectives, snapshot = objectives, replace(snapshot, objectives=objectives)
        self._save(state, names)
        self._context.publisher.publish_source(snapshot)

    def _save(self, state: SourceState, names: Names) -> None:
        if state.description.latest is None:
            return
        source = state.source
        saved = SavedSource(
            DataSource(source.target, source.id, names.root, names.data_source, source.labels),
            state.description.container,
            state.description.latest,
            self._context.location.known,
            ClockReading(state.history.watched_since, state.history.clock_ahead) if state.history else None,
            is_described=state.description.has_response,
            objectives=state.objectives,
        )
        if saved != state.saved:
            self._context.store.save_source(str(state.source.id), saved)
            state.saved = saved

    def _snapshot(self, state: SourceState, names: Names) -> SourceSnapshot:
        description = state.description.resolved
        tags = description.tags if description else ()
        if description and description.tags and self._label_tags:
            description = replace(description, tags=self._label_tags(description.tags))
        return SourceSnapshot(
            source=state.source,
            names=names,
            history=state.history if state.polled_at is not None else None,
            poll_succeeded=state.failure is None if state.was_polled else None,
            poll_failure=state.failure,
            polled_at=state.polled_at,
            container=state.description.container,
            description=description,
            location=self._context.location.current,
            documents=state.documents,
            objectives=state.objectives,
            tags=tags,
        )
