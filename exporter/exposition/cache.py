"""A cache of rendered metrics, into which the write half puts snapshots, and from which scrapes read bytes.

Rendering all metrics of 2,500 data sources takes seconds, and a scrape should take milliseconds. Therefore `put`
renders only the changed snapshot, and `pieces` returns bytes that are already rendered. The layout of the bytes is
described in `chunks`.

The declarations of the families are divided into parts that change together. Three events change the lines of a
snapshot, and each event renders only the parts that it affects:

- A new snapshot (`put`). A poll that found nothing new affects one part: the time of the last poll.
- Other declarations (`use_families`), such as a longer window after a reload.
- The passing of time: a job leaves the window, or a schedule fires. `Families.next_change` returns when this happens,
  so each part has an expiry. A scrape first renders the expired parts. `prepare` renders parts in advance that expire
  soon, so that a scrape rarely has to.

Example: a schedule fires at 02:00:00. At 01:57, `prepare` renders the lines that are valid from 02:00:00 on, and keeps
them as the successor of the part. The first scrape after 02:00:00 stores these lines and renders nothing.

There are two locks. A writer holds `_writer_lock` while it renders, so that it never replaces newer lines by older
ones. Writers and scrapes hold `_lock` only to store or to read, so that a scrape sees each snapshot completely. A
scrape waits for a writer only if a part has expired, and then for one rendering at a time, which takes about a
millisecond.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from exporter.domain.units import TIME_ROUNDING
from exporter.exposition.chunks import RenderedChunks
from exporter.exposition.formats import FORMATS, render_headers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prometheus_client.core import Metric

    from exporter.exposition.formats import Format
    from exporter.exposition.gzip import CompressedBlock
    from exporter.exposition.lines import FormatLines
    from exporter.runtime import Clock, ServiceClock

_CLOCK_TOLERANCE = 5.0  # seconds; the offset of the service's clock is precise to a second or two

T = TypeVar("T")
Snapshot_contra = TypeVar("Snapshot_contra", contravariant=True)


class Families(Protocol[Snapshot_contra]):
    """The metric families of one kind of snapshot, in parts that change together."""

    def declared(self) -> Mapping[str, Metric]:
        """Return all families without samples by their names, in the order of the response."""

    def part_inputs(self, snapshot: Snapshot_contra, /) -> Sequence[object]:
        """Return the inputs of each part. Until its next change, its samples change only if these do."""

    def view(self, snapshot: Snapshot_contra, now: float, /) -> Any:  # noqa: ANN401 (what the other methods need)
        """Return a snapshot at a time on the service's clock, for all of its parts."""

    def lines(self, view: Any, part: int, /) -> Mapping[str, FormatLines]:  # noqa: ANN401 (as above)
        """Return the lines of all families of a part, by the names of `declared`."""

    def next_change(self, view: Any, part: int, /) -> float | None:  # noqa: ANN401 (as above)
        """Return when a sample of a part changes by time alone, on the service's clock; None if it never does."""


class _Inputs(NamedTuple):
    """Everything that the lines of a part depend on, except time."""

    families: Families[Any]
    part: object


@dataclass(slots=True)
class _PartState:
    """The inputs of the rendered lines of a part, and the end of their validity on the exporter's clock."""

    inputs: _Inputs
    clock_offset: float  # the service's clock minus the exporter's, in seconds
    expires_at: float
    successor: _Rendering | None = None  # valid from `expires_at` on, if it was rendered in advance

    def is_valid(self, inputs: _Inputs, clock_offset: float, now: float) -> bool:
        same_clock = abs(clock_offset - self.clock_offset) < _CLOCK_TOLERANCE
        return same_clock and now < self.expires_at and self.inputs == inputs


class _Rendering(NamedTuple):
    """A part, and the lines of its families by name."""

    part: _PartState
    families: Mapping[str, FormatLines]


class _Entry(NamedTuple, Generic[T]):
    """A snapshot in the cache. Its lines are in the chunks."""

    snapshot: T
    clock: ServiceClock
    parts: tuple[_PartState, ...]
    expires_at: float


class ExpositionCache(Generic[T]):
    """The rendered metrics of all snapshots of one kind, in the order of their keys."""

    def __init__(self, families: Families[T], clock: Clock) -> None:
        self._families = families
        self._clock = clock
        self._writer_lock = threading.Lock()
        self._lock = threading.Lock()  # guards the fields below
        self._entries: dict[str, _Entry[T]] = {}
        self._chunks = RenderedChunks(partial(_headers_of, families))
        self._expires_at = math.inf  # never later than the expiry of any entry

    def put(self, key: str, snapshot: T, clock: ServiceClock) -> None:
        """Add a snapshot, or replace the one with the same key."""
        with self._writer_lock:
            self._store(key, snapshot, clock)

    def remove(self, key: str) -> None:
        """Remove a snapshot, if there is one with this key."""
        with self._writer_lock, self._lock:
            if self._entries.pop(key, None) is not None:
                self._chunks.remove(key)

    def use_families(self, families: Families[T]) -> None:
        """Render all snapshots with other declarations, unless these are equal to the current ones.

        Meanwhile, scrapes return the previous families. New families appear when all sources have them.
        """
        with self._writer_lock:
            if families == self._families:
                return
            self._families = families
        with self._lock:
            keys = list(self._entries)
        for key in keys:
            self._render_again(key)
        with self._lock:
            self._chunks.use_headers(partial(_headers_of, families))

    def snapshots(self) -> list[tuple[T, ServiceClock]]:
        """Return all snapshots, each with the clock of its service."""
        with self._lock:
            return [(entry.snapshot, entry.clock) for entry in self._entries.values()]

    def pieces(self, wanted: Format) -> list[CompressedBlock]:
        """Return all families in one of `FORMATS`, as of now."""
        self._render_expired()
        with self._lock:
            return self._chunks.pieces(FORMATS.index(wanted))

    def prepare(self, seconds: float) -> Iterator[None]:
        """Render parts in advance that expire within these seconds; yield after each, so that the caller can pause.

        Many schedules fire at the same time, such as 02:00:00, and all their parts then expire together.
        """
        deadline = self._clock.monotonic() + seconds
        with self._lock:
            entries = [entry for entry in self._entries.values() if entry.expires_at < deadline]
        for entry in entries:
            for number, part in enumerate(entry.parts):
                if part.expires_at < deadline and part.successor is None:
                    now = part.expires_at + TIME_ROUNDING + part.clock_offset
                    view = part.inputs.families.view(entry.snapshot, now)
                    part.successor = _render(part.inputs, view, part.clock_offset, number)
                    yield

    def _render_expired(self) -> None:
        """Render the parts that time alone has changed since the last call."""
        now = self._clock.monotonic()
        if now < self._expires_at:
            return
        with self._lock:
            expired = [key for key, entry in self._entries.items() if entry.expires_at <= now]
        for key in expired:
            self._render_again(key)
        with self._lock:
            self._expires_at = min((entry.expires_at for entry in self._entries.values()), default=math.inf)

    def _render_again(self, key: str) -> None:
        """Render the expired parts of an entry; there are none if a writer has replaced it meanwhile."""
        with self._writer_lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._store(key, entry.snapshot, entry.clock)

    def _store(self, key: str, snapshot: T, clock: ServiceClock) -> None:
        """Store a snapshot and the lines of its expired parts; the caller holds `_writer_lock`."""
        renderings = list(self._renderings(self._entries.get(key), snapshot, clock))
        parts = tuple(part for part, _ in renderings)
        expires_at = min((part.expires_at for part in parts), default=math.inf)
        changed = {name: family for _, families in renderings for name, family in families.items()}
        with self._lock:
            self._entries[key] = _Entry(snapshot, clock, parts, expires_at)
            self._expires_at = min(self._expires_at, expires_at)
            self._chunks.put(key, changed)

    def _renderings(self, before: _Entry[T] | None, snapshot: T, clock: ServiceClock) -> Iterator[_Rendering]:
        """Yield each part with the families whose lines must be stored; none for a part that is still valid."""
        now = self._clock.monotonic()
        clock_offset = clock.now() - now
        view = self._families.view(snapshot, now + clock_offset)
        for number, inputs in enumerate(_Inputs(self._families, part) for part in self._families.part_inputs(snapshot)):
            rendering = _rendering_at(before.parts[number], now) if before else None
            if rendering is None or not rendering.part.is_valid(inputs, clock_offset, now):
                rendering = _render(inputs, view, clock_offset, number)
            yield rendering


def _headers_of(families: Families[Any]) -> Mapping[str, FormatLines]:
    return render_headers(families.declared())


def _rendering_at(part: _PartState, now: float) -> _Rendering:
    """Return the rendering for this time: the successor, or the part itself, whose lines are in the chunks."""
    if part.successor is not None and now >= part.expires_at:
        return part.successor
    return _Rendering(part, {})


def _render(inputs: _Inputs, view: Any, clock_offset: float, number: int) -> _Rendering:  # noqa: ANN401 (of `Families`)
    """Render a part of a snapshot for the time of a view."""
    lines = inputs.families.lines(view, number)
    change = inputs.families.next_change(view, number)
    return _Rendering(_PartState(inputs, clock_offset, math.inf if change is None else change - clock_offset), lines)
