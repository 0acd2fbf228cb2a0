"""The order between kinds of data sources, when sources of several kinds are due for a poll.

The kinds have an order. The first kind that is due is polled, but the kinds below it keep a share: while any of them is
due too, every LOWER_SHARE-th poll is left to them. They divide it in the same way. So lower kinds are late but never
starve, no matter how many sources of higher kinds there are.

Example: one poll per second, and more hinted, active and idle sources than can be polled. Of 25 polls, 20 are of
hinted sources, 4 of active ones and 1 of an idle one.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.polling.ticket_queue import TicketQueue

LOWER_SHARE = 5  # while sources of a lower kind are due too, one of this many polls is of a lower kind


class Priorities:
    """Selects the queue of the source to poll next."""

    def __init__(self) -> None:
        self._contested: Counter[TicketQueue] = Counter()  # selections while a lower queue was due too

    def select(self, due: Sequence[TicketQueue]) -> TicketQueue:
        """Return one of the queues that are due, which are in the order of their kinds."""
        for queue in due[:-1]:
            self._contested[queue] += 1
            if self._contested[queue] % LOWER_SHARE:
                return queue
        return due[-1]
