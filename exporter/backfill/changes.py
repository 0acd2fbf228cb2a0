"""The families of one source, collected only at the times at which they can change."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from exporter.backfill.families import ABSENT, FROM_SCHEDULE
from exporter.domain.units import TIME_ROUNDING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client.core import Metric

    from exporter.domain.snapshots import SourceSnapshot
    from exporter.metrics import SourceFamilies


class FamilyChange(NamedTuple):
    """A family with its samples from one of the times on."""

    start: int
    metric: Metric


class ChangeCollector:
    """Collects the parts of one source's families, each when its inputs change or when time alone changes it."""

    def __init__(self, families: SourceFamilies, times: Sequence[float]) -> None:
        self._families = families
        self._times = times
        self._inputs: dict[int, object] = {}
        self._next: dict[int, int] = {}

    def changes(self, snapshot: SourceSnapshot, start: int, stop: int) -> Iterator[FamilyChange]:
        """Yield the changes of all parts while a snapshot is valid, from index `start` to before `stop`."""
        since = snapshot.description.schedule_since if snapshot.description else None
        prefix = f"{self._families.service.name}_"
        schedule_known = len(self._times) if since is None else bisect_left(self._times, since)
        for part, inputs in enumerate(self._families.part_inputs(snapshot)):
            index = self._next[part] if self._inputs.get(part) == inputs else start
            self._inputs[part] = inputs
            while index < stop:
                absent = ABSENT if index >= schedule_known else ABSENT | FROM_SCHEDULE
                for metric in self._families.collect(snapshot, self._times[index], part):
                    if metric.name.removeprefix(prefix) not in absent:
                        yield FamilyChange(index, metric)
                following = self._next_change(snapshot, index, part)
                index = min(following, schedule_known) if index < schedule_known else following
            self._next[part] = index

    def _next_change(self, snapshot: SourceSnapshot, index: int, part: int) -> int:
        """Return the index of the next time at which time alone has changed a part."""
        # A change may fall exactly on one of the times, and rounding then decides whether the part has changed yet. So
        # the search starts earlier by the rounding error, and the part is collected again one step later.
        now = self._times[index]
        change = self._families.next_change(self._families.view(snapshot, now - TIME_ROUNDING), part)
        if change is not None and change <= now + TIME_ROUNDING:
            return index + 1
        return len(self._times) if change is None else bisect_left(self._times, change)
