"""The state with which a data source starts, from what was saved about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.counting.source_history import SourceHistory
from exporter.domain.model import Names
from exporter.polling.description import DescriptionState
from exporter.polling.source_state import SourceState, reread_period

if TYPE_CHECKING:
    from exporter.domain.clock_check import ClockReading
    from exporter.domain.model import DataSource
    from exporter.domain.snapshots import SavedSource
    from exporter.runtime import Lock
    from exporter.target.context import TargetContext


def load_state(
    source: DataSource, since: ClockReading | None, saved: SavedSource | None, context: TargetContext, mutex: Lock
) -> SourceState:
    """Return the saved state of a source, which no poll of this process has changed yet.

    `since` and `saved` are as in `WatchedSources.watch`.
    """
    store, key = context.store, str(source.id)
    saved_history = history = store.history(key)
    if history is None and since is not None:
        history = SourceHistory(watched_since=since.time, as_of=since.time, clock_ahead=since.ahead)
    is_new = saved_history is None and not (since and since.is_restored)
    exposed = store.exposed_until(key)
    return SourceState(
        source=source,
        history=history,
        reread_period=reread_period(source.id, saved_history.as_of) if saved_history else None,
        # A poll succeeded at that time, though it may not be the last one. So stale values are visible immediately.
        polled_at=saved_history.as_of if saved_history else None,
        names=_saved_names(saved) if saved else None,
        description=DescriptionState.from_saved(saved) if saved else DescriptionState(),
        objectives=saved.objectives if saved else None,
        saved=saved,
        documents=store.documents(key),
        first_clock=context.provider.clock if is_new else None,
        mutex=mutex,
        awaits_poll=exposed is not None and (saved_history is None or saved_history.as_of < exposed),
    )


def _saved_names(saved: SavedSource) -> Names | None:
    application, name = saved.source.root, saved.source.name
    return Names(application, name) if application and name else None
