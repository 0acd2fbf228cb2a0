"""The part of the page about one kind of thing, kept rendered."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from exporter.exposition.chunks import Sheet
from exporter.exposition.formats import FORMATS, render_apart

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client.core import Metric

    from exporter.exposition.formats import Format, RenderedFamily
    from exporter.exposition.gzip import Block
    from exporter.runtime import Clock

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


class _Basis(NamedTuple):
    """What a rendering follows from, but for the time: the declarations, and what they look at."""

    families: Families[Any]
    source: object


@dataclass(slots=True)
class _Part:
    """What a part of a thing was rendered from, and until when it is good."""

    basis: _Basis
    offset: float  # of the service's clock to ours
    until: float
    following: _Rendered | None = None  # what it will be from then on, made ahead


class _Rendered(NamedTuple):
    """A part, with the families that were rendered for it: none where they are on the page already."""

    part: _Part
    families: tuple[RenderedFamily, ...] = ()

    def at(self, moment: float) -> _Rendered:
        """Give what is good at a moment, as far as it was made."""
        rendered = self
        while moment >= rendered.part.until and rendered.part.following is not None:
            rendered = rendered.part.following
        return rendered


@dataclass(frozen=True, slots=True)
class _Thing(Generic[T]):
    snapshot: T
    clock: ServiceClock
    parts: tuple[_Part, ...]

    @property
    def until(self) -> float:
        return min(part.until for part in self.parts)


class ExpositionCache(Generic[T]):
    """The poll half publishes things into it; the scrape half takes all of them, family by family under one header."""

    def __init__(self, families: Families[T], clock: Clock) -> None:
        self._families = families
        self._clock = clock
        self._mutex = threading.Lock()  # held for moments, also by polls
        self._things: dict[str, _Thing[T]] = {}
        self._until = math.inf
        self._sheet = Sheet()

    def publish(self, key: str, snapshot: T, clock: ServiceClock) -> None:
        """Show a thing as it is now; the next scrape has all of it, and no scrape a part."""
        while not self._show(key, self._things.get(key), snapshot, clock):
            pass  # something came in between: once more

    def declare(self, families: Families[T]) -> None:
        """Show everything by other declarations, where they are others."""
        if families == self._families:
            return
        with self._mutex:
            self._families = families
            things = list(self._things.items())
        for key, old in things:
            self._show(key, old, old.snapshot, old.clock)

    def withdraw(self, key: str) -> None:
        """Show a thing no more."""
        with self._mutex:
            if self._things.pop(key, None) is not None:
                self._sheet.remove(key)

    def everything(self) -> list[tuple[T, ServiceClock]]:
        """Give all that is shown now, each thing with its service's clock."""
        with self._mutex:
            things = list(self._things.values())
        return [(thing.snapshot, thing.clock) for thing in things]

    def blocks(self, wanted: Format) -> list[Block]:
        """Give the section's families, each thing as it is now."""
        self._refresh()
        with self._mutex:
            return self._sheet.blocks(FORMATS.index(wanted))

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
                    part.following = _rendered(part.basis, thing.snapshot, part.offset, part.until + _AFTER, number)
                    yield

    def _refresh(self) -> None:
        """Render anew what time alone has changed since."""
        now = self._clock.monotonic()
        if now < self._until:
            return
        with self._mutex:
            aged = [(key, thing) for key, thing in self._things.items() if thing.until <= now]
        for key, old in aged:
            self._show(key, old, old.snapshot, old.clock)  # else a poll came in between, and knows better
        with self._mutex:
            self._until = min((thing.until for thing in self._things.values()), default=math.inf)

    def _show(self, key: str, before: _Thing[T] | None, snapshot: T, clock: ServiceClock) -> bool:
        """Show a thing that was so before; does nothing, and tells so, where it was not, or is declared otherwise."""
        families = self._families
        rendered = self._render(families, snapshot, clock, before)
        thing = _Thing(snapshot, clock, tuple(part for part, _ in rendered))
        changed = {
            (part, number): family
            for part, (_, its_families) in enumerate(rendered)
            for number, family in enumerate(its_families)
        }
        with self._mutex:
            if self._things.get(key) is not before or self._families is not families:
                return False
            self._things[key] = thing
            self._until = min(self._until, thing.until)
            self._sheet.put(key, changed)
        return True

    def _render(
        self, families: Families[T], snapshot: T, clock: ServiceClock, before: _Thing[T] | None
    ) -> list[_Rendered]:
        """Render a thing, but for those parts that are as before; a quiet poll changes hardly any."""
        moment = self._clock.monotonic()
        offset = clock.now() - moment
        parts = []
        for number, source in enumerate(families.parts(snapshot)):
            basis = _Basis(families, source)
            old = _Rendered(before.parts[number]).at(moment) if before else None
            still = old and old.part.basis == basis and moment < old.part.until
            if old and still and abs(offset - old.part.offset) < _CLOCK_ERROR:
                parts.append(old)
            else:
                parts.append(_rendered(basis, snapshot, offset, moment, number))
        return parts


def _rendered(basis: _Basis, snapshot: object, offset: float, moment: float, number: int) -> _Rendered:
    """Render a part of a thing for a moment on our clock."""
    now = moment + offset
    families = render_apart(basis.families.collect(snapshot, now, number))
    change = basis.families.next_change(snapshot, now, number)
    return _Rendered(_Part(basis, offset, math.inf if change is None else change - offset), families)
