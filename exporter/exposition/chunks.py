"""Storage of rendered lines: one piece of bytes for each chunk of sources, family and format.

An exposition has one header for each family, followed by the lines of all sources. So the lines of one source are
spread over the whole response. They are stored in that order, split into chunks of sources:

                         chunk 0 (keys a, b, c)     chunk 1 (keys d, e)
    header of up         piece: aaa bb cc           piece: dd ee
    header of jobs       piece: aaaaaa bbbb ccc     piece: ddd

A response is the header of each family, followed by the pieces of that family: `up`, its pieces 0 and 1, `jobs`, its
pieces 0 and 1. With 2,500 sources, this is a list of about 2,000 pieces instead of 187,000 lines.

Invariant: in each chunk, every family and format has exactly one length for each key, in the order of the keys, and the
piece is the concatenation of lines with these lengths. A source without samples of a family has length 0 (source e has
no line of `jobs` above). Each line is stored once: the lines of one source are a slice of the piece.

Changes are collected, and stored together when the next response needs them. So each piece is joined only once at a
start that adds thousands of sources.

Example: key b gets the new line `BBBBB` of `up`. Its chunk has the lengths 3, 2, 2, so its lines are `piece[:3]`,
`piece[3:5]` and `piece[5:]`. The new piece is `aaaBBBBBcc`, and the new lengths are 3, 5, 2. A scrape with gzip then
compresses the new piece. All other pieces stay the same objects, with their compressed forms.

The formats have the same lines, except for exemplars. They share one piece unless a line differs.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections import defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING

from exporter.exposition.formats import FORMATS
from exporter.exposition.gzip import CompressedBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from exporter.exposition.lines import FormatLines

# With more sources in a chunk, a change copies and compresses more bytes. With fewer, a scrape sends more pieces.
MAX_CHUNK_SOURCES = 128
_LENGTH = "I"  # array type of lengths in bytes

Changes = dict[str, dict[str, "FormatLines"] | None]
"""New lines by source and family; None for a source that is removed."""


class RenderedChunks:
    """The rendered lines of all sources, in the order of their keys. Not thread-safe."""

    def __init__(self, render_headers: Callable[[], Mapping[str, FormatLines]]) -> None:
        """Start without sources.

        `render_headers` returns the headers of all families, in the order of the response. The first source needs
        them, and a service that is not configured never has one.
        """
        self._render_headers = render_headers
        self._headers: Mapping[str, tuple[CompressedBlock, ...]] | None = None
        self._chunks: list[_Chunk] = []
        self._changes: Changes = {}

    def put(self, key: str, families: Mapping[str, FormatLines]) -> None:
        """Replace lines of a source by family name; a new source needs the lines of all families."""
        if families:
            self._changes[key] = {**(self._changes.get(key) or {}), **families}

    def remove(self, key: str) -> None:
        """Remove all lines of a source."""
        self._changes[key] = None

    def use_headers(self, render_headers: Callable[[], Mapping[str, FormatLines]]) -> None:
        """Use other families from now on, and discard the lines of omitted families."""
        self._store_changes()
        self._render_headers, self._headers = render_headers, None
        self._chunks = [chunk.selected(self._header_blocks()) for chunk in self._chunks]

    def pieces(self, format_number: int) -> list[CompressedBlock]:
        """Return all headers and lines in one of `FORMATS`."""
        self._store_changes()
        if not self._chunks:
            return []
        pieces = []
        for name, headers in self._header_blocks().items():
            pieces.append(headers[format_number])
            pieces += [chunk.lines[name][format_number].block for chunk in self._chunks]
        return pieces

    def _store_changes(self) -> None:
        by_chunk: dict[int, Changes] = defaultdict(dict)
        for key, families in self._changes.items():
            by_chunk[self._chunk_of(key)][key] = families
        self._changes = {}
        for number in sorted(by_chunk, reverse=True):  # the last one first, so that the other numbers stay valid
            chunk = self._chunks[number] if self._chunks else self._empty_chunk()
            self._chunks[number : number + 1] = chunk.changed(by_chunk[number])

    def _empty_chunk(self) -> _Chunk:
        return _Chunk([], dict.fromkeys(self._header_blocks(), _NO_FORMATS))

    def _header_blocks(self) -> Mapping[str, tuple[CompressedBlock, ...]]:
        if self._headers is None:
            self._headers = _shared_blocks(self._render_headers())
        return self._headers

    def _chunk_of(self, key: str) -> int:
        """Return the number of the chunk that has the key, or would have it."""
        return max(0, bisect_right(self._chunks, key, key=lambda chunk: chunk.keys[0]) - 1)


class _Chunk:
    """Some consecutive sources, and their lines by family name, for each of `FORMATS`. Immutable."""

    def __init__(self, keys: list[str], lines: dict[str, tuple[_FamilyLines, ...]]) -> None:
        self.keys = keys
        self.lines = lines

    def changed(self, changes: Changes) -> Iterator[_Chunk]:
        """Yield the chunks that replace this one: none without sources, several if one would become too large."""
        removed = {key for key, families in changes.items() if families is None}
        keys = sorted((changes.keys() | self.keys) - removed)
        names = {name for families in changes.values() for name in families or ()}
        if keys and keys == self.keys:
            yield _Chunk(keys, {**self.lines, **self._changed_lines(names, keys, changes)})
            return
        number = math.ceil(len(keys) / MAX_CHUNK_SOURCES)
        for part in range(number):  # they have about the same size, so that none is full
            some = keys[part * len(keys) // number : (part + 1) * len(keys) // number]
            yield _Chunk(some, self._changed_lines(names | self.lines.keys(), some, changes))

    def selected(self, names: Iterable[str]) -> _Chunk:
        """Return the chunk with the lines of some families."""
        return _Chunk(self.keys, self._changed_lines(names, self.keys, {}))

    def _changed_lines(
        self, names: Iterable[str], keys: list[str], changes: Changes
    ) -> dict[str, tuple[_FamilyLines, ...]]:
        """Return the lines of some families and sources after the changes."""
        changed = {key: families for key in keys if (families := changes.get(key))}
        lines = {}
        for name in names:
            new = {key: families[name] for key, families in changed.items() if name in families}
            if name in self.lines:
                lines[name] = _changed_formats(self.lines[name], self.keys, keys, new)
            else:
                lines[name] = _changed_formats(_NO_FORMATS, (), keys, new)
        return lines


class _FamilyLines:
    """The lines of one family of all sources of a chunk, in one format. Immutable."""

    __slots__ = ("_lengths", "block")

    def __init__(self, lines: Sequence[bytes], before: CompressedBlock) -> None:
        """Join the lines. An equal previous block is used again, because it may be compressed already."""
        plain = b"".join(lines)
        self.block = before if before.plain == plain else CompressedBlock(plain)
        self._lengths = array(_LENGTH, map(len, lines))

    def by_source(self) -> Iterator[bytes]:
        """Yield the lines of each source."""
        plain = self.block.plain
        for end, length in zip(accumulate(self._lengths), self._lengths, strict=True):
            yield plain[end - length : end]


_NO_FORMATS = (_FamilyLines((), CompressedBlock(b"")),) * len(FORMATS)


def _changed_formats(
    before: Sequence[_FamilyLines], keys_before: Sequence[str], keys: Sequence[str], new: Mapping[str, FormatLines]
) -> tuple[_FamilyLines, ...]:
    """Return the lines of one family for these keys. Formats with the same old and new lines share the result."""
    are_shared = len(set(before)) == 1 and all(formats.count(formats[0]) == len(formats) for formats in new.values())
    changed = []
    for number, formats in enumerate(before[:1] if are_shared else before):
        lines = dict(zip(keys_before, formats.by_source(), strict=True))
        lines |= {key: rendered[number] for key, rendered in new.items()}
        changed.append(_FamilyLines([lines.get(key, b"") for key in keys], formats.block))
    return tuple(changed * len(FORMATS) if are_shared else changed)


def _shared_blocks(headers: Mapping[str, FormatLines]) -> dict[str, tuple[CompressedBlock, ...]]:
    """Return a block for each header; formats with the same header share it."""
    blocks: dict[bytes, CompressedBlock] = {}
    return {
        name: tuple(blocks.setdefault(header, CompressedBlock(header)) for header in formats)
        for name, formats in headers.items()
    }
