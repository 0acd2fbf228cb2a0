"""The pauses between attempts to replace credentials that AWS refuses.

Each replacement has all data sources polled. So the pause grows while an operation refuses one replacement after the
other. It grows for each operation by itself, because a single operation may refuse credentials that all others accept.
Without that, each success of another operation would end the pause.

Example: AWS refuses every listing of data sources and accepts all other requests. The pauses are 5, 10, 20 seconds and
so on up to 15 minutes. If the credentials expire meanwhile, the first poll that AWS refuses has them replaced
immediately.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.runtime import Clock

FIRST_PAUSE, LAST_PAUSE = 5.0, 900.0  # seconds between two attempts; doubles with every refusal
# An operation that accepts credentials and refuses the next ones has a new problem only after some time.
_RESET_AFTER = 1.5  # of the pause


@dataclass(slots=True)
class _Refusals:
    count: int = 0
    last: float = 0.0
    was_accepted: bool = False

    @property
    def pause(self) -> float:
        return min(LAST_PAUSE, FIRST_PAUSE * 2.0 ** min(self.count, 10))


class RefusalPauses:
    """The refusals of each operation, and the pauses that follow from them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refusals: dict[str, _Refusals] = {}
        self._refusing: set[str] = set()  # the operations that have refused the last refused credentials

    def refused(self, operation: str, *, is_first: bool) -> float:
        """Record that an operation refused credentials; return the seconds between the last attempt and the next.

        `is_first` is true if no operation has refused these credentials before.
        """
        if is_first:
            self._refusing.clear()
        if operation in self._refusing:
            return math.inf
        self._refusing.add(operation)
        now, known = self._clock.monotonic(), self._refusals.get(operation)
        if known is None or (known.was_accepted and now - known.last >= _RESET_AFTER * known.pause):
            known = self._refusals[operation] = _Refusals()
        pause = known.pause
        known.count, known.last, known.was_accepted = known.count + 1, now, False
        return pause

    def accepted(self, operation: str) -> None:
        """Record that an operation accepted credentials."""
        if known := self._refusals.get(operation):
            known.was_accepted = True
