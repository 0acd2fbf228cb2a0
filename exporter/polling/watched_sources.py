"""The data sources that a target watches."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.domain.counting.history import rebucket
from exporter.polling.objective_recorder import ObjectiveRecorder
from exporter.polling.saved_state import load_state
from exporter.polling.source_names import SourceNames
from exporter.polling.source_publisher import SourcePublisher

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.domain.clock_check import ClockReading
    from exporter.domain.counting.counting_policy import CountingPolicy
    from exporter.domain.documents import DocumentsByStatus
    from exporter.domain.model import DataSource, Description, SourceId
    from exporter.domain.snapshots import SavedSource
    from exporter.domain.unreadable import UnreadableResource
    from exporter.errors import ProviderError
    from exporter.polling.source_publisher import Tags
    from exporter.polling.source_state import SourceState
    from exporter.runtime import Lock
    from exporter.target.context import TargetContext


class WatchedSources:
    """The states of one target's data sources; may be used from any thread.

    Invariant: only states in this collection are saved and published. `unwatch` and `detach` remove them, and a poll
    that is still in progress then has no effect.
    """

    def __init__(  # noqa: PLR0913 (what it connects)
        self,
        context: TargetContext,
        policy: CountingPolicy,
        label_tags: Callable[[Tags], Tags] | None = None,
        objectives: ObjectiveRecorder | None = None,
        *,
        counts_documents: bool = False,
        make_lock: Callable[[], Lock] = threading.Lock,
    ) -> None:
        """Start empty; `label_tags` are the tags that are published as labels, None for all tags.

        Without `counts_documents`, saved counts of documents are not published, because they would never change again.
        `make_lock` returns the lock of a source, which a poll holds during its commit.
        """
        self._context = context
        self._policy = policy
        self._publisher = SourcePublisher(context, objectives or ObjectiveRecorder(), label_tags)
        self._counts_documents = counts_documents
        self._make_lock = make_lock
        self.names = SourceNames(context)
        self._states: dict[str, SourceState] = {}

    def watch(self, source: DataSource, since: ClockReading | None = None, saved: SavedSource | None = None) -> None:
        """Start to watch a source from its saved state, and publish it.

        Its jobs count from `since` if that is before its first poll. `saved` is the source as it was last found.
        """
        self._start(load_state(source, since, saved, self._context, self._make_lock()))

    def adopt(self, source: DataSource, detached: SourceState) -> None:
        """Continue with a source that another target has detached, and publish it. Its names may differ here."""
        self._start(replace(detached, source=source, mutex=self._make_lock()))

    def _start(self, state: SourceState) -> None:
        known = self.names.known(state.source)
        state.names, state.are_names_resolved = known or state.names, known is not None
        before = state.history
        state.history = rebucket(before, self._policy) if before else None
        if not self._counts_documents:
            state.documents = state.count_error = None
        if state.history is not None and state.history is not before:
            state.logger.warning("duration buckets changed, histograms start over")
            # Otherwise the histograms would reappear after a restart with the earlier buckets.
            self._context.store.commit({str(state.source.id): state.history})
        self._states[str(state.source.id)] = state
        self.publish_safely(state)

    def detach(self) -> list[SourceState]:
        """Stop watching all sources, and return their states, with which other targets continue."""
        detached = []
        for key, state in list(self._states.items()):
            with state.mutex:
                if self._states.pop(key, None):
                    detached.append(state)
        return detached

    def unwatch(self, source: SourceId) -> bool:
        """Stop watching a source, and delete its saved description; return False if it was not watched any more."""
        state = self.get(source)
        if state is None:
            return False
        with state.mutex:
            if self._states.pop(str(source), None) is None:
                return False  # it was detached meanwhile, and another target continues to watch it
            self._context.store.remove_source(str(source))
        return True

    def get(self, source: SourceId) -> SourceState | None:
        """Return the state of a source; None if it is not watched."""
        return self._states.get(str(source))

    def has(self, state: SourceState) -> bool:
        """Return whether this is still the state of its source. The result is valid while the caller has its mutex."""
        return self._states.get(str(state.source.id)) is state

    def ids(self) -> set[str]:
        """Return the ids of all sources as keys of the state file."""
        return set(self._states)

    def is_syncing(self, source: SourceId) -> bool:
        """Return whether a sync was in progress when a source was last polled."""
        state = self.get(source)
        return state is not None and state.is_syncing

    def poll_age(self, source: SourceId) -> float | None:
        """Return the seconds since the last known poll of a source; None if it was never polled.

        The state store has the times of successful polls on AWS's clock, and of each process's first polls on the
        host's clock. Without the latter, a source whose polls always fail would stay the stalest one, and a process
        that dies soon after each start would poll only such sources.

        Before the first response, the host's clock is used as AWS's. If a poll is in the future, the host's clock is
        behind, and ages on the two clocks may differ by hours and cannot be compared. Then the age counts from the
        first poll. Ages of first polls can be compared even if they are negative, because the store has recorded them
        in order.
        """
        state, attempted_at = self.get(source), self._context.store.attempted_at(str(source))
        attempt_age = None if attempted_at is None else self._context.clock.time() - attempted_at
        if state is None or state.polled_at is None:
            return attempt_age
        age = self._context.provider.clock.now() - state.polled_at
        if attempt_age is None:
            return age
        return min(age, attempt_age) if age >= 0 else attempt_age

    def syncing(self) -> int:
        """Return the number of sources with a sync in progress when they were last polled."""
        return sum(state.is_syncing for state in list(self._states.values()))

    def undescribed(self) -> list[UnreadableResource]:
        """Return the sources whose description or name could not be requested the last time."""
        found = (state.undescribed() for state in list(self._states.values()))
        return [each for each in found if each is not None]

    def describe(self, source: SourceId, index: str, listed: Description | None) -> None:
        """Store the listed properties of a source, and publish changes. None means that the listing failed.

        `index` is the resolved name of the source's index.
        """
        state = self.get(source)
        if state is None:
            return
        with state.mutex:
            before = state.description
            state.description = before.with_listing(index, listed)
            if state.description != before:
                self.publish_safely(state)

    def documents_counted_at(self) -> dict[SourceId, float | None]:
        """Return when the documents of each source were last counted, on AWS's clock."""
        return {
            state.source.id: state.documents.counted_at if state.documents else None
            for state in list(self._states.values())
        }

    def save_documents(self, source: SourceId, documents: DocumentsByStatus) -> None:
        """Save a complete count of a source's documents, and publish it."""
        state = self.get(source)
        if state is None:
            return
        with state.mutex:
            if self.has(state):
                self._context.store.save_documents(str(source), documents)
                state.documents, state.count_error = documents, None
                self.publish_safely(state)

    def fail_documents(self, source: SourceId, error: ProviderError) -> None:
        """Keep the error of a failed count of a source's documents until a count is complete."""
        state = self.get(source)
        if state is not None:
            state.count_error = error

    def uncounted(self) -> tuple[UnreadableResource, ...]:
        """Return the sources whose last count of documents failed."""
        found = (state.uncounted() for state in list(self._states.values()))
        return tuple(each for each in found if each is not None)

    def resolve_names(self, source: SourceId) -> None:
        """Resolve the unknown display names of a source, and publish it. An error is only logged."""
        state = self.get(source)
        if state is None or state.are_names_resolved:
            return
        names = self.names.resolve(state)
        if names is not None:
            with state.mutex:
                state.names, state.are_names_resolved = names, True
                self.publish_safely(state)

    def republish_all(self) -> None:
        """Publish every source again after a change that affects all of them."""
        with self._context.store.batch():
            for state in list(self._states.values()):
                with state.mutex:
                    self.publish_safely(state)

    def save_poll_times(self) -> None:
        """Save the time of each source's last successful poll. Polls that find no change do not save it."""
        polled = {key: state.polled_at for key, state in list(self._states.items()) if state.polled_at is not None}
        self._context.store.save_poll_times(polled)

    def publish(self, state: SourceState) -> None:
        """Save a source as it was found, and publish its snapshot. The caller holds the mutex of the state.

        A source without display names is not published yet. When the names are resolved, its labels would change, and
        Prometheus would treat its series as new ones. Nor is a source whose counters would fall until its first poll.
        Example: a replica that was cut off from the database has exposed five jobs and saved three of them. It
        gets the target back before another replica has polled the source.
        """
        may_fall = state.awaits_poll and not state.was_polled
        if state.names is not None and self.has(state) and not may_fall:
            self._publisher.publish(state, state.names)

    def publish_safely(self, state: SourceState) -> None:
        """Publish a source, and log an unexpected exception instead of raising it."""
        try:
            self.publish(state)
        except Exception:
            state.logger.exception("publishing the data source failed with an unexpected exception")
