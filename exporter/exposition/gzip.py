"""Blocks of a response, which are compressed only once, and the gzip file that consists of them.

Blocks that were compressed separately can be joined in any order. Each ends with a full flush, so it ends at a byte
boundary, and the next block does not refer to earlier data (RFC 1951). A gzip file (RFC 1952) adds a header, and a
trailer with the checksum and the length of the uncompressed data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

try:  # ten times as fast with the same size, but not available for every platform
    from isal import isal_zlib as zlib
except ImportError:
    import zlib  # type: ignore[no-redef]

_LEVEL = 1
_HEADER = b"\x1f\x8b\x08" + bytes(5) + b"\x04\xff"  # RFC 1952: deflate, no name, no time, fastest, unknown system
_FINAL_BLOCK = b"\x03\x00"  # RFC 1951: final and empty


class CompressedBlock:
    """A part of a response, compressed when it is first needed."""

    __slots__ = ("_deflated", "plain")

    def __init__(self, plain: bytes) -> None:
        self.plain = plain
        self._deflated: bytes | None = None

    @property
    def deflated(self) -> bytes:
        """Return blocks of deflated data that can be joined with other blocks."""
        if self._deflated is None:
            compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
            self._deflated = compressor.compress(self.plain) + compressor.flush(zlib.Z_FULL_FLUSH)
        return self._deflated


def gzip_member(blocks: Sequence[CompressedBlock]) -> list[bytes]:
    """Return a gzip file in pieces, with a single member, because browsers and curl ignore further members."""
    checksum, size = 0, 0
    for block in blocks:
        checksum = zlib.crc32(block.plain, checksum)
        size += len(block.plain)
    trailer = checksum.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")
    return [_HEADER, *(block.deflated for block in blocks), _FINAL_BLOCK + trailer]
