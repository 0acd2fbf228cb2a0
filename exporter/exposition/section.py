"""The part of the page about one kind of thing, kept rendered."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from exporter.exposition.blocks import Block
from exporter.exposition.formats import FORMATS, Lines, render_apart

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client.core import Metric

    from exporter.exposition.formats import Format
    from exporter.model import Clock

_AFTER = 0.001  # seconds past a change, at which all of it has happened whatever the rounding
_CLOCK_ERROR = 5.0  # seconds that the service's clock may seem to move: it is only known to the second or two


class ServiceClock(Protocol):
    """The clock of the service that a snapshot was read from."""

    def now(self) -> float:
        """Give seconds since the epoch."""


T = TypeVar("T")
Shown_contra = TypeVar("Shown_contra", contravariant=True)


class Families(Protocol[Shown_contra]):
    """The declarations about one kind of thing, as `metrics` has them, in parts that change together."""

    def parts(self, snapshot: Shown_contra, /) -> Sequence[object]:
        """Give what each part follows from: where that is the same, so are its samples, until its next change."""

    def collect(self, snapshot: Shown_contra, now: float, part: int, /) -> Sequence[Metric]:
        """Give the samples that one thing has in the families of a part, always the same families in the same order."""

    def next_change(self, snapshot: Shown_contra, now: float, part: int, /) -> float | None:
        """Give the time at which time alone changes a sample of a part."""


@dataclass(slots=True)
class _Part:
    """A part of a thing's families, rendered: per format the sample lines of each family, good until a moment."""

    source: object
    offset: float  # of the service's clock to ours
    until: float
    samples: tuple[Lines, ...]
    following: _Part | None = None  # what it will be from then on, made ahead

    def at(self, moment: float) -> _Part:
        """Give the part that is good at a moment, as far as it was made."""
        part = self
        while moment >= part.until and part.following is not None:
            part = part.following
        return part


@dataclass(frozen=True, slots=True)
class _Thing(Generic[T]):
    snapshot: T
    clock: ServiceClock
    parts: tuple[_Part, ...]

    @property
    def until(self) -> float:
        return min(part.until for part in self.parts)


_Place = tuple[int, int]
"""Of a family: its part, and its place there."""


class Section(Generic[T]):
    """The poll half publishes things into it; the scrape half takes all of them, family by family under one header."""

    def __init__(self, families: Families[T], clock: Clock) -> None:
        self._families = families
        self._clock = clock
        self._mutex = threading.Lock()  # held for moments, also by polls
        self._joining = threading.Lock()  # held by scrapes while they join what has changed
        self._things: dict[str, _Thing[T]] = {}
        self._sorted = True
        self._until = math.inf
        self._headers: dict[tuple[int, int], Lines] = {}
        self._changed: dict[int, set[_Place]] = {number: set() for number in range(len(FORMATS))}
        self._blocks: dict[int, dict[_Place, Block]] = {number: {} for number in range(len(FORMATS))}

    def publish(self, key: str, snapshot: T, clock: ServiceClock) -> None:
        """Show a thing as it is now; the next scrape has all of it, and no scrape a part."""
        thing = self._render(snapshot, clock, self._things.get(key))
        with self._mutex:
            self._put(key, thing)

    def declare(self, families: Families[T]) -> None:
        """Show everything by other declarations, where they are others."""
        if families == self._families:
            return
        self._families = families
        for key, old in list(self._things.items()):
            fresh = self._render(old.snapshot, old.clock, None)
            with self._mutex:
                if self._things.get(key) is old:
                    self._put(key, fresh)

    def withdraw(self, key: str) -> None:
        """Show a thing no more."""
        with self._mutex:
            if self._things.pop(key, None) is not None:
                self._all_changed()

    def blocks(self, wanted: Format) -> list[Block]:
        """Give the section's families, joining anew those of which a sample has changed."""
        self._refresh()
        number = FORMATS.index(wanted)
        with self._joining:
            with self._mutex:
                if not self._sorted:
                    self._things = dict(sorted(self._things.items()))
                    self._sorted = True
                things = list(self._things.values())
                changed = sorted(self._changed[number])
                self._changed[number].clear()
            blocks = self._blocks[number]
            for place in changed:
                blocks[place] = self._join(things, number, place)
            return list(blocks.values()) if things else []

    def prepare(self, ahead: float) -> Iterator[None]:
        """Render what time alone will change within so many seconds, so that no scrape has to; give way after each.

        Whole organisations sync at 02:00 sharp, and then all of it changes at once.
        """
        soon = self._clock.monotonic() + ahead
        with self._mutex:
            things = [thing for thing in self._things.values() if thing.until < soon]
        for thing in things:
            for number, part in enumerate(thing.parts):
                if part.until < soon and part.following is None:
                    part.following = self._part(thing.snapshot, part.source, part.offset, part.until + _AFTER, number)
                    yield

    def _join(self, things: Iterable[_Thing[T]], number: int, place: _Place) -> Block:
        part, family = place
        header = self._headers[part, number][family]
        plain = b"".join((header, *[thing.parts[part].samples[number][family] for thing in things]))
        others = (self._blocks[other].get(place) for other in range(len(FORMATS)) if other != number)
        return next((block for block in others if block and block.plain == plain), None) or Block(plain)

    def _put(self, key: str, thing: _Thing[T]) -> None:
        before = self._things.get(key)
        self._things[key] = thing
        self._until = min(self._until, thing.until)
        if before is None:
            self._sorted = False
            self._all_changed()
        else:
            for number, places in self._changed.items():
                places.update(_differing(before, thing, number))

    def _all_changed(self) -> None:
        for (part, number), headers in self._headers.items():
            self._changed[number].update((part, family) for family in range(len(headers)))

    def _render(self, snapshot: T, clock: ServiceClock, before: _Thing[T] | None) -> _Thing[T]:
        """Render a thing, but for those parts that are as before; a quiet poll changes hardly any."""
        moment = self._clock.monotonic()
        offset = clock.now() - moment
        parts = []
        for number, source in enumerate(self._families.parts(snapshot)):
            old = before.parts[number].at(moment) if before else None
            still = old and moment < old.until and abs(offset - old.offset) < _CLOCK_ERROR and old.source == source
            parts.append(old if old and still else self._part(snapshot, source, offset, moment, number))
        return _Thing(snapshot, clock, tuple(parts))

    def _part(self, snapshot: T, source: object, offset: float, moment: float, number: int) -> _Part:
        now = moment + offset
        headers, samples = render_apart(self._families.collect(snapshot, now, number))
        for kind, lines in enumerate(headers):
            self._headers.setdefault((number, kind), lines)
        change = self._families.next_change(snapshot, now, number)
        return _Part(source, offset, math.inf if change is None else change - offset, samples)

    def _refresh(self) -> None:
        """Render anew what time alone has changed since."""
        now = self._clock.monotonic()
        if now < self._until:
            return
        with self._mutex:
            aged = [(key, thing) for key, thing in self._things.items() if thing.until <= now]
        fresh = [(key, old, self._render(old.snapshot, old.clock, old)) for key, old in aged]
        with self._mutex:
            for key, old, new in fresh:
                if self._things.get(key) is old:  # else a poll came in between, and knows better
                    self._put(key, new)
            self._until = min((thing.until for thing in self._things.values()), default=math.inf)


def _differing(before: _Thing[T], after: _Thing[T], number: int) -> Iterator[_Place]:
    """Give the families of which two renderings of a thing differ."""
    for part, (old, new) in enumerate(zip(before.parts, after.parts, strict=True)):
        if old is not new:
            pairs = zip(old.samples[number], new.samples[number], strict=True)
            yield from ((part, family) for family, (former, latter) in enumerate(pairs) if former != latter)
