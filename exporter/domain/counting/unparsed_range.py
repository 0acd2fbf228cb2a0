"""The range of start times in which AWS listed jobs whose entries could not be parsed.

A poll skips an entry that it cannot parse. While the job is in the window, each full reread lists it again. For older
jobs, the range is kept, and each full reread leaves it to a catch-up, which reads it once more. So a job is counted
even if its entry can first be parsed days later.

An entry that can never be parsed must not be read forever. After MAX_RETRY_AGE, its part of the range is abandoned.

Example: the window is a day. The poll after an absence from Monday to Thursday lists a job of Tuesday whose start is
not a date. The range is Monday to Thursday. Six hours later, a catch-up reads these days again. Wednesday and Thursday
have no such entry any more, so the range shrinks to Monday and Tuesday. It is read every six hours until the entry has
a date, or until Thursday of the next week.
"""

from __future__ import annotations

from msgspec import Struct

from exporter.domain.counting.unread_range import UnreadRange
from exporter.domain.units import DAY

MAX_RETRY_AGE = 7 * DAY  # an entry that cannot be parsed is abandoned after this time


class UnparsedRange(Struct, frozen=True):
    """The range of start times from `start` to `end`.

    `since` is the time of the first poll that could not parse an entry in it.

    Invariant: a job whose entry no poll could parse starts in the range, or the next full reread lists it, or it was
    abandoned.
    """

    start: float
    end: float
    since: float

    def covers(self, start: float, end: float) -> bool:
        """Return whether the range contains another one."""
        return self.start <= start and end <= self.end

    def merge(self, other: UnparsedRange | None) -> UnparsedRange:
        """Return the shortest range that contains this one and another one."""
        if other is None:
            return self
        start, end = min(self.start, other.start), max(self.end, other.end)
        return UnparsedRange(start, end, since=min(self.since, other.since))

    def to_unread(self, as_of: float) -> UnreadRange:
        """Return the range for a catch-up, which reads it once more."""
        return UnreadRange(self.start, min(self.end, as_of), read_to=self.start, unparsed_since=self.since)

    def is_given_up(self, as_of: float) -> bool:
        """Return whether its entries could not be parsed for so long that it is abandoned."""
        return as_of - self.since > MAX_RETRY_AGE
