"""When to look round: at an interval, sooner where a part could not be looked into, and soon where nothing could."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from exporter.discovery.reconciler import RunResult
from exporter.errors import StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from exporter.runtime import Event, Host

logger = structlog.get_logger()

NAMED_ONLY_INTERVAL = 900.0  # seconds between runs of a target that names its data sources and discovers none
PARTLY = 900.0  # seconds until the first other try where some of it worked: the default interval
NOTHING = RunResult(complete=False, reached=False)


class DiscoveryLoop:
    """Goes round one target, again and again, until stopped."""

    def __init__(  # noqa: PLR0913, PLR0917 (what it runs, how often, and on what)
        self,
        run: Callable[[], RunResult],
        interval: float,
        retry: float,
        host: Host,
        random: Random,
        stopping: Event,
    ) -> None:
        """`retry` are the seconds until the first retry if nothing could be reached; `stopping` ends the loop."""
        self._run_once = run
        self._interval = interval
        self._retry = retry
        self._host = host
        self._random = random
        self._stopping = stopping
        self._first_round = host.event()
        self._has_reached = False
        self._last = NOTHING
        self._alike = 0  # rounds in a row that went like the last
        self._defect = ""
        self._thread = host.thread("discovery", self._run)

    def start(self) -> None:
        """Begin with the first round."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no further round; returns at once."""
        self._stopping.set()

    def join(self, deadline: float) -> None:
        """Wait for the round under way until a moment of the monotonic clock."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, deadline - self._host.monotonic()))

    def unhealthy(self) -> str | None:
        """Say that looking round has died; None when it has not."""
        died = self._thread.ident is not None and not self._thread.is_alive()
        return "discovery has died" if died and not self._stopping.is_set() else None

    def unready(self) -> str | None:
        """Say that the first round has not ended; None when it has."""
        return None if self._first_round.is_set() else "data sources are being looked for"

    @property
    def has_reached(self) -> bool:
        """Tell whether any round ever reached anything."""
        return self._has_reached

    def pause(self, began: float, now: float, how: RunResult) -> float:
        """Give the seconds to the next round, given when the last began and how it went."""
        if how != self._last:
            self._last, self._alike = how, 0
        if how.complete:
            return max(0.0, began + self._interval - now)
        self._alike += 1
        first = PARTLY if how.reached else self._retry
        delay: float = min(self._interval, first * 2.0 ** min(self._alike - 1, 30))
        return max(0.0, began + delay - now) if how.reached else delay * self._random.uniform(0.5, 1.0)

    def _run(self) -> None:
        try:
            self._go_rounds()
        except StoppedError:
            self.stop()

    def _go_rounds(self) -> None:
        while not self._stopping.is_set():
            began, how = self._host.monotonic(), NOTHING
            try:
                how = self._run_once()
            except Exception as error:
                # A defect of ours must not be the end of discovery.
                if repr(error) != self._defect:
                    self._defect = repr(error)
                    logger.exception("discovery failed for a reason that is a defect of this program")
            self._has_reached |= how.reached
            self._first_round.set()
            self._stopping.wait(self.pause(began, self._host.monotonic(), how))
