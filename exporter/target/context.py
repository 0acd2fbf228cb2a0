"""What polls and surveys of one target work with, and whether the target lets them in."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import structlog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.domain.snapshots import SavedSource
    from exporter.domain.source_history import SourceHistory
    from exporter.errors import ProviderError
    from exporter.providers import Provider
    from exporter.runtime import Clock
    from exporter.target.display_names import DisplayNames

logger = structlog.get_logger()


class StateStore(Protocol):
    """Where what was learned survives, as `Store` keeps it."""

    def history(self, key: str) -> SourceHistory | None:
        """Give a source's history."""

    def commit(self, histories: Mapping[str, SourceHistory]) -> None:
        """Write histories, by source."""

    def known(self, target: str) -> list[SavedSource]:
        """Give a target's sources as they were last found."""

    def note_known(self, key: str, known: SavedSource | None) -> None:
        """Keep how a source was found, or that it is no more."""

    def watched_since(self, target: str) -> float | None:
        """Give when a target was first watched, on AWS's clock."""

    def begin_watch(self, target: str, moment: float) -> None:
        """Keep when a target was first watched."""


class CredentialStatus:
    """Whether a target takes our credentials: all its polls and surveys find out at once, and it is said once."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._mutex = threading.Lock()
        self._lost = False

    def report_failure(self, error: ProviderError) -> None:
        """Take note that credentials were missing or refused."""
        with self._mutex:
            was_lost, self._lost = self._lost, True
        if not was_lost:
            logger.warning("credentials do not work", target=self._target, reason=str(error.reason), error=str(error))

    def report_success(self) -> None:
        """Take note that credentials were taken."""
        with self._mutex:
            was_lost, self._lost = self._lost, False
        if was_lost:
            logger.info("credentials work again", target=self._target)


@dataclass(frozen=True, slots=True)
class TargetContext:
    """A target's name, whom to ask, what to remember by, and the time."""

    target: str
    provider: Provider
    store: StateStore
    names: DisplayNames
    credentials: CredentialStatus
    clock: Clock
