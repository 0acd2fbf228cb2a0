"""The order of polls when data sources of several kinds are due.

The kinds are ordered. Sources of the highest kind that is due are polled first, but lower kinds keep a share: while any
of them is due too, every LOWER_SHARE-th poll is left to them. They divide their share in the same way. So sources of
lower kinds are late but never starve, no matter how many sources of higher kinds are due.

Example: one poll per second, and more hinted, active and idle sources than can be polled. Of 25 polls, 20 are of
hinted sources, 4 of active ones and 1 of an idle one.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.polling.ticket_queue import TicketQueue

LOWER_SHARE = 5  # while sources of lower kinds are due too, one in this many polls is left to them


class Priorities:
    """Selects the queue of the source to poll next."""

    def __init__(self) -> None:
        self._contested: Counter[TicketQueue] = Counter()  # selections while a lower queue was due too

    def select(self, due: Sequence[TicketQueue]) -> TicketQueue:
        """Return one of the due queues, which are ordered from the highest kind to the lowest."""
        for queue in due[:-1]:
            self._contested[queue] += 1
            if self._contested[queue] % LOWER_SHARE:
                return queue
        return due[-1]
