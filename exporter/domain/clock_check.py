"""Checks of AWS's clock against the clock of the host and the times of sync jobs.

AWS's clock is read from the Date header of its responses, and a proxy with a wrong clock can write that header. Then
the recorded time since which a source is watched is wrong too:

- A clock that is ahead puts that time into the future. Jobs that end before it would never count.
- A clock that is behind puts it into the past. Jobs that ended before would count, which cannot be undone.

The clock of the host may be wrong as well, so a difference between the two proves nothing. These facts prove an error:

- Time does not go back. If the current time is before a recorded one, one of the two was read from a wrong clock: the
  one that differs more from the host.
- The clock of the host is read without its steps. If a later Date is closer to it, the earlier Date was wrong.
- Time passes at one rate. If the Dates of one poll differ by more than the duration of the poll, one of them is wrong:
  again the one that differs more from the host.
- No job is in the future. If a Date is before the start or end of a job, and the host's time is not, the Date is wrong.

Example: the host says 12:00, and the first Date is 14:00. It may be correct, so the source counts from 14:00, recorded
as two hours ahead of the host. A minute later, the Date is 12:01 and agrees with the host. So 14:00 was wrong by two
hours, and the source counts from 12:00, including jobs that have ended since then. The same follows if the Date agrees
with the host at 18:00, but only in the process that has recorded 14:00. Before another process starts, the clock of the
host may have been set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.domain.units import DATE_RESOLUTION, MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.domain.model import SyncJob

TOLERANCE = 5 * MINUTE  # the difference between the time of a signature and AWS's clock that AWS tolerates


@dataclass(frozen=True, slots=True)
class ClockReading:
    """A time on AWS's clock, and the seconds by which that clock is ahead of the host's, if known.

    `is_restored` is true if another process has read it, or if this process has read it by another clock.
    """

    time: float
    ahead: float | None = None
    is_restored: bool = False

    def after_restart(self) -> ClockReading:
        """Return the reading as another process uses it, which cannot know whether the host's clock was set meanwhile.

        So a Date that was behind the host's clock may have been correct. A Date that was ahead proves wrong only if a
        later Date is earlier, which setting the host's clock cannot cause.
        """
        is_ahead = self.ahead is not None and self.ahead > 0
        return ClockReading(self.time, self.ahead if is_ahead else None, is_restored=True)


def corrected(noted: ClockReading, now: ClockReading) -> float | None:
    """Return the correct time of an earlier reading; None unless the current one proves it wrong."""
    if now.ahead is None:
        return None
    went_back = noted.time > now.time + TOLERANCE
    if noted.ahead is None:
        return now.time if went_back and abs(now.ahead) <= TOLERANCE else None
    came_closer = not noted.is_restored and noted.ahead > abs(now.ahead) + TOLERANCE
    if came_closer or (went_back and abs(noted.ahead) > abs(now.ahead)):
        return min(now.time, noted.time - noted.ahead + now.ahead + DATE_RESOLUTION)
    return None


def corrected_before_use(noted: ClockReading, now: ClockReading) -> float | None:
    """Return the correct time of an unused reading; None unless the current one proves it wrong.

    Such a time may also become later. This is not possible once jobs have been counted.
    """
    if noted.ahead is not None and now.ahead is not None and noted.ahead < -abs(now.ahead) - TOLERANCE:
        return min(now.time, noted.time - noted.ahead + now.ahead + DATE_RESOLUTION)
    return corrected(noted, now)


def without_jump(first: float, last: ClockReading, seconds: float) -> tuple[float, ClockReading]:
    """Return the times of a poll's first and last response, without a jump of the Date between them.

    `seconds` is the duration of the poll. Example: the host says 12:00. The first response is dated 10:00, and the last
    one, a few seconds later, 12:00. So 10:00 was wrong. If jobs counted from 10:00, two hours of history would be
    counted.
    """
    jump = last.time - first - seconds
    if last.ahead is None or abs(jump) <= TOLERANCE:
        return first, last
    first_ahead = last.ahead - jump
    if abs(first_ahead) > abs(last.ahead):
        return last.time - seconds, last
    return first, ClockReading(first + seconds, first_ahead)


def is_behind_jobs(date: ClockReading, jobs: Iterable[SyncJob]) -> bool:
    """Return whether a reading is earlier than the time of a job, and the host's clock confirms the job's time."""
    if date.ahead is None or date.ahead >= -TOLERANCE:
        return False
    host = date.time - date.ahead
    return any(
        date.time + TOLERANCE < time <= host + TOLERANCE for job in jobs for time in (job.started, job.end_or_start)
    )
