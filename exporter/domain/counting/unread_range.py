"""The range of start times whose jobs were not all read, and the steps that read it.

After a long absence, thousands of jobs may lie between the jobs that are known and the latest ones. The poll that finds
this out reads the latest jobs, and leaves the others to a catch-up. Each step of it reads one part of the range, the
oldest first, and is committed with what is left of the range. So a crash costs one step at most.

AWS documents neither whether the ends of a range are inclusive nor what they are compared with: the start of a job, the
time in which it was in progress, or its start and its end. With the last meaning, a range lacks a job that ends after
it, and the next range must begin before the start of that job. AWS runs one or two jobs of a source at a time. So a
step begins at the start of the OVERLAP-th newest job that the steps before it have read.

Example: the range is Monday to Friday, and the first step has read Monday, which has 24 jobs. Now `read_to` is Tuesday
00:00, and `start` is Monday 15:00, the start of the ninth newest of the 24 jobs. The second step reads from Monday
15:00 to Wednesday 00:00.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exporter.domain.units import DAY, MINUTE

if TYPE_CHECKING:
    from collections.abc import Sequence

INITIAL_STEP = DAY
MIN_STEP = MINUTE
OVERLAP = 9  # jobs that a step reads again


@dataclass(frozen=True, slots=True)
class UnreadRange:
    """The range of start times from `start` to `end`, in which there may be jobs that no poll has read.

    Invariant: every job that started before `start` has been read, and every job that started after `end` has been read
    or is found by the usual polls. Steps have listed the range up to `read_to`, and the next one lists `step` seconds
    more. `unparsed_since` is set for a range that polls have read except for entries that they could not parse, and is
    the time of the first of these polls.
    """

    start: float
    end: float
    read_to: float
    step: float = INITIAL_STEP
    unparsed_since: float | None = None

    @classmethod
    def between(cls, start: float, end: float) -> UnreadRange:
        """Return a range that no step has read from."""
        return cls(start, end, read_to=start)

    @property
    def next_end(self) -> float:
        """The end of the next step."""
        return min(self.end, self.read_to + self.step)

    @property
    def can_be_split(self) -> bool:
        """Whether a shorter step is possible."""
        return self.step > MIN_STEP

    def halve_step(self) -> UnreadRange:
        """Return the range after a step that was too long."""
        return replace(self, step=max(MIN_STEP, self.step / 2))

    def after_step(self, starts: Sequence[float], *, is_short: bool) -> UnreadRange | None:
        """Return what is left after a step has read all of its part; None if nothing is left.

        `starts` are the starts of the jobs that it read. If the step was a short one, the next one is longer.
        """
        if self.next_end >= self.end:
            return None
        read = sorted(start for start in starts if start <= self.next_end)
        return replace(
            self,
            start=max(self.start, read[-OVERLAP]) if len(read) >= OVERLAP else self.start,
            read_to=self.next_end,
            step=self.step * 2 if is_short else self.step,
        )
