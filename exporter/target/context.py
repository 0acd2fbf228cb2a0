"""The context that the poller and the reconciler of one target share."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import structlog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.domain.model import Location
    from exporter.domain.snapshots import SavedSource
    from exporter.domain.source_history import SourceHistory
    from exporter.errors import ProviderError
    from exporter.providers import Provider
    from exporter.runtime import Clock
    from exporter.target.display_names import DisplayNames
    from exporter.target.location import TargetLocation
    from exporter.target.publisher import SnapshotPublisher

logger = structlog.get_logger()


class StateStore(Protocol):
    """Keeps the state of data sources across restarts, as `Store` does."""

    def history(self, key: str) -> SourceHistory | None:
        """Return a source's history."""

    def commit(self, histories: Mapping[str, SourceHistory]) -> None:
        """Write histories, by source."""

    def save_poll_times(self, times: Mapping[str, float]) -> None:
        """Save the time of the last successful poll, by source."""

    def saved_sources(self, target: str, location: Location | None) -> list[SavedSource]:
        """Return the sources of a location, or of the target of a name, as they were last found."""

    def save_source(self, key: str, saved: SavedSource | None) -> None:
        """Save how a source was found; None deletes the entry."""

    def watched_since(self, identity: str) -> float | None:
        """Return when a target was first watched, on AWS's clock."""

    def save_watched_since(self, identity: str, moment: float) -> None:
        """Save when a target was first watched."""


class CredentialStatus:
    """Whether AWS accepts the credentials of a target; a change is logged once for all its data sources."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._mutex = threading.Lock()
        self._failing = False

    def report_failure(self, error: ProviderError) -> None:
        """Record that credentials were missing or refused."""
        with self._mutex:
            was_failing, self._failing = self._failing, True
        if not was_failing:
            logger.warning("credentials failing", target=self._target, reason=str(error.reason), error=str(error))

    def report_success(self) -> None:
        """Record that credentials were accepted."""
        with self._mutex:
            was_failing, self._failing = self._failing, False
        if was_failing:
            logger.info("credentials working again", target=self._target)


@dataclass(frozen=True, slots=True)
class TargetContext:
    """The name of a target, and the services that its polls and discovery runs use."""

    target: str
    provider: Provider
    store: StateStore
    names: DisplayNames
    credentials: CredentialStatus
    clock: Clock
    location: TargetLocation
    publisher: SnapshotPublisher
