"""Pieces of the page that are kept until they change, plain and compressed, and a gzip file made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

try:  # ten times faster at the same size; there are machines that it is not built for
    from isal import isal_zlib as zlib
except ImportError:
    import zlib  # type: ignore[no-redef]

_LEVEL = 1
_HEAD = b"\x1f\x8b\x08" + bytes(5) + b"\x04\xff"  # RFC 1952: deflate, no name, no time, fastest, unknown system
_LAST = b"\x03\x00"  # RFC 1951: a final block of nothing


class Block:
    """A piece of the page, compressed when that is first asked for."""

    __slots__ = ("_deflated", "plain")

    def __init__(self, plain: bytes) -> None:
        self.plain = plain
        self._deflated: bytes | None = None

    @property
    def deflated(self) -> bytes:
        """Give the piece as deflate blocks that end on a byte and look back at nothing before: they can be joined."""
        if self._deflated is None:
            compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
            self._deflated = compressor.compress(self.plain) + compressor.flush(zlib.Z_FULL_FLUSH)
        return self._deflated


def gzip_of(blocks: Sequence[Block]) -> list[bytes]:
    """Give the pieces of one gzip member (browsers and curl read no more than one) that holds all blocks."""
    crc, size = 0, 0
    for block in blocks:
        crc = zlib.crc32(block.plain, crc)
        size += len(block.plain)
    tail = crc.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")
    return [_HEAD, *(block.deflated for block in blocks), _LAST + tail]
