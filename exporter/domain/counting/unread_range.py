"""A range of start times whose jobs were not all read, and the steps that read it.

After a long absence, there may be thousands of jobs between the known jobs and the latest ones. The first poll reads
the latest jobs, and leaves the others to a catch-up. Each step of the catch-up reads one part of the range, the oldest
part first, and is committed together with the rest of the range. So a crash costs one step at most.

AWS documents neither whether the ends of a range are inclusive nor what they are compared with: the start of a job, the
time in which it was in progress, or its start and its end. With the last meaning, a range lacks a job that ends after
the range, and the next range must begin before the start of that job. AWS runs one or two jobs of a source at a time.
So a step begins at the start of the OVERLAP-th newest job that earlier steps have read.

Example: the range is Monday to Friday, and the first step has read Monday, which has 24 jobs. Now `read_to` is Tuesday
00:00, and `start` is Monday 15:00, the start of the ninth newest of the 24 jobs. The second step reads from Monday
15:00 to Wednesday 00:00.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, structs

from exporter.domain.units import DAY, MINUTE

if TYPE_CHECKING:
    from collections.abc import Sequence

INITIAL_STEP = DAY
MIN_STEP = MINUTE
OVERLAP = 9  # the number of jobs that a step reads again


class UnreadRange(Struct, frozen=True):
    """The range of start times from `start` to `end`, which may have jobs that no poll has read.

    Invariant: every job that started before `start` has been read, and every job that started after `end` has been read
    or will be found by the usual polls. Steps have listed the range up to `read_to`, and the next step lists `step`
    seconds more. `unparsed_since` is set if polls have read the range except for entries that they could not parse, and
    is the time of the first of these polls.
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
        return structs.replace(self, step=max(MIN_STEP, self.step / 2))

    def after_step(self, starts: Sequence[float], *, is_short: bool) -> UnreadRange | None:
        """Return the rest of the range after a step has read its part; None if nothing is left.

        `starts` are the starts of the jobs that the step has read. After a short step, the next one is longer.
        """
        if self.next_end >= self.end:
            return None
        read = sorted(start for start in starts if start <= self.next_end)
        return structs.replace(
            self,
            start=max(self.start, read[-OVERLAP]) if len(read) >= OVERLAP else self.start,
            read_to=self.next_end,
            step=self.step * 2 if is_short else self.step,
        )
