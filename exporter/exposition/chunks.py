"""Storage of rendered lines: one piece of bytes for each chunk of sources, family and format.

An exposition has one header for each family, and below it the lines of all sources, so the lines of one source are
spread over the whole response. They are stored in that order, cut into chunks of sources:

                         chunk 0 (keys a, b, c)     chunk 1 (keys d, e)
    header of up         piece: aaa bb cc           piece: dd ee
    header of jobs       piece: aaaaaa bbbb ccc     piece: ddd

A response is the header of each family, followed by the pieces of that family: `up`, its pieces 0 and 1, `jobs`, its
pieces 0 and 1. At 2,500 sources this is a list of about 2,000 pieces instead of 187,000 lines.

Invariant: in each chunk, every family and format has exactly one length for each key, in the order of the keys, and the
piece is the lines of these lengths, joined. A source without samples of a family has length 0 (source e has no line of
`jobs` above). Each line is stored once: the lines of one source are a slice of the piece.

Example: key b gets the new line `BBBBB` of `up`. Its chunk has the lengths 3, 2, 2, so the old line is `piece[3:5]`.
The new piece is `piece[:3] + BBBBB + piece[5:]`, and the new lengths are 3, 5, 2. The next scrape with gzip compresses
the new piece. All other pieces stay the same objects, with their compressed forms.

The formats have the same lines, except where there are exemplars. They share one piece until a line differs.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from exporter.exposition.formats import FORMATS
from exporter.exposition.gzip import CompressedBlock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from exporter.exposition.formats import RenderedFamily

# More sources in a chunk: more bytes to copy and to compress for a change. Fewer: more pieces for a scrape to send.
MAX_CHUNK_SOURCES = 128
_LENGTH = "I"  # array type of lengths in bytes


class RenderedChunks:
    """The rendered lines of all sources, in the order of their keys. Not thread-safe."""

    def __init__(self) -> None:
        self._headers: dict[str, tuple[CompressedBlock, ...]] = {}
        self._chunks: list[_Chunk] = []

    def put(self, key: str, families: Mapping[str, RenderedFamily]) -> None:
        """Store lines of a source by family name; a new source needs all families, in the order of the response."""
        if not self._chunks:
            self._headers = {name: _blocks(family.headers) for name, family in families.items()}
            self._chunks.append(_Chunk([], {name: (_NO_LINES,) * len(FORMATS) for name in families}))
        number = self._chunk_of(key)
        chunk = self._chunks[number]
        chunk.put(key, families)
        if len(chunk.keys) > MAX_CHUNK_SOURCES:
            self._chunks[number : number + 1] = chunk.halves()

    def remove(self, key: str) -> None:
        """Remove all lines of a source."""
        number = self._chunk_of(key)
        chunk = self._chunks[number]
        chunk.remove(key)
        if not chunk.keys:
            del self._chunks[number]

    def pieces(self, format_number: int) -> list[CompressedBlock]:
        """Return all headers and lines in one of `FORMATS`."""
        if not self._chunks:
            return []
        pieces = []
        for name, headers in self._headers.items():
            pieces.append(headers[format_number])
            pieces += [chunk.lines[name][format_number].block for chunk in self._chunks]
        return pieces

    def _chunk_of(self, key: str) -> int:
        """Return the number of the chunk that has the key, or would have it."""
        return max(0, bisect_right(self._chunks, key, key=lambda chunk: chunk.keys[0] if chunk.keys else "") - 1)


class _Chunk:
    """Some consecutive sources, and their lines by family name, for each of `FORMATS`."""

    def __init__(self, keys: list[str], lines: dict[str, tuple[_FamilyLines, ...]]) -> None:
        self.keys = keys
        self.lines = lines

    def put(self, key: str, families: Mapping[str, RenderedFamily]) -> None:
        start = bisect_left(self.keys, key)
        stop = start + 1 if self.keys[start : start + 1] == [key] else start
        self.keys[start:stop] = [key]
        for name, family in families.items():
            self.lines[name] = _spliced(self.lines[name], start, stop, [(lines,) for lines in family.lines])

    def remove(self, key: str) -> None:
        start = self.keys.index(key)
        del self.keys[start]
        self.lines = self._without(start, start + 1)

    def halves(self) -> tuple[_Chunk, _Chunk]:
        half, end = len(self.keys) // 2, len(self.keys)
        first, second = self._without(half, end), self._without(0, half)
        return _Chunk(self.keys[:half], first), _Chunk(self.keys[half:], second)

    def _without(self, start: int, stop: int) -> dict[str, tuple[_FamilyLines, ...]]:
        return {name: _spliced(formats, start, stop, [()] * len(FORMATS)) for name, formats in self.lines.items()}


class _FamilyLines:
    """The lines of one family of all sources of a chunk, in one format. Immutable."""

    __slots__ = ("_lengths", "block")

    def __init__(self, block: CompressedBlock, lengths: array[int]) -> None:
        self.block = block
        self._lengths = lengths

    def spliced(self, start: int, stop: int, lines: Sequence[bytes]) -> _FamilyLines:
        """Return a copy in which these lines replace those of the sources from start to stop, as for a list."""
        before, after = self._lengths[:start], self._lengths[stop:]
        block, plain, new = self.block, self.block.plain, b"".join(lines)
        begin, end = sum(before), len(plain) - sum(after)
        if plain[begin:end] != new:
            block = CompressedBlock(b"".join((plain[:begin], new, plain[end:])))
        return _FamilyLines(block, before + array(_LENGTH, map(len, lines)) + after)


_NO_LINES = _FamilyLines(CompressedBlock(b""), array(_LENGTH))


def _spliced(
    formats: Sequence[_FamilyLines], start: int, stop: int, lines: Sequence[tuple[bytes, ...]]
) -> tuple[_FamilyLines, ...]:
    """Splice the lines of each format; formats that share an object and get the same lines share the result."""
    results = {(before, new): before.spliced(start, stop, new) for before, new in set(zip(formats, lines, strict=True))}
    return tuple(results[pair] for pair in zip(formats, lines, strict=True))


def _blocks(pieces: Iterable[bytes]) -> tuple[CompressedBlock, ...]:
    """Return a block for each piece; equal pieces share one."""
    blocks: dict[bytes, CompressedBlock] = {}
    return tuple(blocks.setdefault(piece, CompressedBlock(piece)) for piece in pieces)
