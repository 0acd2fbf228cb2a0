"""The lines of many things as the page has them: family by family, each in runs of a few dozen things.

They are kept nowhere else, and a change copies some kilobytes of them, however many things there are.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from exporter.exposition.formats import FORMATS
from exporter.exposition.gzip import Block

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from exporter.exposition.formats import RenderedFamily

Place = tuple[int, int]
"""Of a family: its part, and its place there."""

LONGEST_RUN = (
    128  # things: more is more to copy and to compress for a change, fewer is more pieces for a scrape to send
)
_LENGTH = "I"  # of a thing's lines, in bytes


class Sheet:
    """What is shown of things, in the order of their keys; not for two threads at once."""

    def __init__(self) -> None:
        self._headers: dict[Place, tuple[Block, ...]] = {}
        self._runs: list[_Run] = []

    def put(self, key: str, families: Mapping[Place, RenderedFamily]) -> None:
        """Show these families of a thing: all of them when it is new, those that may have changed when it is not."""
        if not self._runs:
            self._headers = {place: _blocks(families[place].headers) for place in sorted(families)}
            self._runs.append(_Run(self._headers))
        number, run = self._run_of(key)
        run.put(key, families)
        if len(run.keys) > LONGEST_RUN:
            self._runs.insert(number + 1, run.part())

    def remove(self, key: str) -> None:
        """Show a thing no more."""
        number, run = self._run_of(key)
        run.remove(key)
        if not run.keys:
            del self._runs[number]

    def blocks(self, number: int) -> list[Block]:
        """Give everything in one of `FORMATS`."""
        if not self._runs:
            return []
        return [block for place in self._headers for block in self._family(place, number)]

    def _family(self, place: Place, number: int) -> Iterator[Block]:
        yield self._headers[place][number]
        for run in self._runs:
            yield run.strips[place][number].block

    def _run_of(self, key: str) -> tuple[int, _Run]:
        number = max(0, bisect_right(self._runs, key, key=lambda run: run.keys[0] if run.keys else "") - 1)
        return number, self._runs[number]


class _Run:
    """Things that follow one another, and the lines of each family in each format."""

    def __init__(self, places: Iterable[Place]) -> None:
        self.keys: list[str] = []
        # Formats differ in exemplars alone: what is the same in both is there once.
        self.strips: dict[Place, list[_Strip]] = {place: [_Strip()] * len(FORMATS) for place in places}

    def put(self, key: str, families: Mapping[Place, RenderedFamily]) -> None:
        at = bisect_left(self.keys, key)
        known = self.keys[at : at + 1] == [key]
        if not known:
            self.keys.insert(at, key)
        for place, family in families.items():
            self._splice(place, at, int(known), [[lines] for lines in family.lines])

    def remove(self, key: str) -> None:
        at = self.keys.index(key)
        del self.keys[at]
        for place in self.strips:
            self._splice(place, at, 1, [[]] * len(FORMATS))

    def part(self) -> _Run:
        """Part with the second half, and give it."""
        half = len(self.keys) // 2
        other = _Run(())
        self.keys, other.keys = self.keys[:half], self.keys[half:]
        for place, strips in self.strips.items():
            halves = {strip: strip.part(half) for strip in set(strips)}
            other.strips[place] = [halves[strip] for strip in strips]
        return other

    def _splice(self, place: Place, at: int, gone: int, lines: Sequence[Sequence[bytes]]) -> None:
        """Put lines in the place of those of so many things, given for each format."""
        strips = self.strips[place]
        first = strips[0]
        for number, its_lines in enumerate(lines):
            if number and strips[number] is first and its_lines != lines[0]:
                strips[number] = first.copy()
        first.splice(at, gone, lines[0])
        for strip, its_lines in zip(strips[1:], lines[1:], strict=True):
            if strip is not first:
                strip.splice(at, gone, its_lines)


class _Strip:
    """The lines of a family that some things have, one thing's after the other's."""

    __slots__ = ("_lengths", "block")

    def __init__(self, plain: bytes = b"", lengths: Iterable[int] = ()) -> None:
        self.block = Block(plain)
        self._lengths = array(_LENGTH, lengths)

    def splice(self, at: int, gone: int, lines: Sequence[bytes]) -> None:
        """Put lines in the place of those of so many things."""
        plain, fresh = self.block.plain, b"".join(lines)
        start = sum(self._lengths[:at])
        end = start + sum(self._lengths[at : at + gone])
        if plain[start:end] != fresh:
            self.block = Block(b"".join((plain[:start], fresh, plain[end:])))
        self._lengths[at : at + gone] = array(_LENGTH, map(len, lines))

    def copy(self) -> _Strip:
        """Give one with the same lines."""
        return _Strip(self.block.plain, self._lengths)

    def part(self, at: int) -> _Strip:
        """Part with everything from a thing on, and give it."""
        plain, start = self.block.plain, sum(self._lengths[:at])
        other = _Strip(plain[start:], self._lengths[at:])
        self.block, self._lengths = Block(plain[:start]), self._lengths[:at]
        return other


def _blocks(pieces: Iterable[bytes]) -> tuple[Block, ...]:
    """Give a block for each piece, the same for the same."""
    blocks: dict[bytes, Block] = {}
    return tuple(blocks.setdefault(piece, Block(piece)) for piece in pieces)
