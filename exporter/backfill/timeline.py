"""The samples of one data source over time, with equal consecutive samples of a series stored as one run."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from exporter.backfill.rendering import Point, Prefixes

RESET_AFTER = 1.0  # seconds between the last sample and the counter reset


@dataclass(frozen=True, slots=True)
class SampleTimes:
    """The times at which a source has samples: multiples of the step, the end of the backfill, the counter reset."""

    first_step: int
    end: float
    step: float

    @property
    def step_numbers(self) -> range:
        """The multiples of the step, as numbers of steps since the epoch."""
        return range(self.first_step, math.ceil(self.end / self.step))

    @property
    def last_two(self) -> tuple[float, float]:
        """The end of the backfill and the counter reset, which are not multiples of the step."""
        return self.end, self.end + RESET_AFTER

    def all(self) -> list[float]:
        """Return all times, in ascending order."""
        return [*(step_time(number, self.step) for number in self.step_numbers), *self.last_two]


def step_time(number: int, step: float) -> float:
    """Return the time of a multiple of the step, in seconds since the epoch."""
    return round(number * step, 3)


@dataclass(frozen=True, slots=True)
class SampleRun:
    """Equal values of a series at consecutive times; `start` is an index into the times of the source.

    `values` has one value for each line of the series; None means that the value is the time of each sample.
    """

    start: int
    length: int
    values: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """All samples of one source: headers by family, and the runs of each series by family."""

    times: SampleTimes
    headers: Mapping[str, bytes]
    runs: Mapping[str, Mapping[Prefixes, Sequence[SampleRun]]]


class FamilyRecorder:
    """Records the series of one family as they change, and turns them into runs."""

    def __init__(self) -> None:
        self.runs: dict[Prefixes, list[SampleRun]] = defaultdict(list)
        self._current: dict[Prefixes, tuple[int, tuple[float, ...]]] = {}

    def record(self, index: int, points: Iterable[Point]) -> None:
        """Record all series at this index, with their values; all others end before it."""
        values_now = {point.prefixes: point.values for point in points}
        for prefixes, (start, values) in list(self._current.items()):
            if values_now.get(prefixes) != values:
                self.runs[prefixes].append(SampleRun(start, index - start, values))
                del self._current[prefixes]
        for prefixes, values in values_now.items():
            self._current.setdefault(prefixes, (index, values))
