"""Synthetic pages of metrics in chunks that are already compressed, so that only the server is measured."""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZES = {"small": 20_000, "large": 33_000_000}  # bytes before compression; the large page is that of 2,500 data sources
LINES_IN_CHUNK = 128
_GZIP_HEAD = b"\x1f\x8b\x08" + bytes(5) + b"\x04\xff"
_DEFLATE_END = b"\x03\x00"


@dataclass
class SyntheticExposition:
    """A page of a given size that never changes. All responses share its chunks."""

    size: int
    plain: list[bytes] = field(default_factory=list)
    compressed: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Build the page from a fixed seed."""
        rng = random.Random(self.size)  # noqa: S311 (not a secret)
        length = checksum = 0
        self.compressed.append(_GZIP_HEAD)
        while length < self.size:
            chunk = b"".join(_line(rng) for _ in range(LINES_IN_CHUNK))
            length, checksum = length + len(chunk), zlib.crc32(chunk, checksum)
            compressor = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
            self.plain.append(chunk)
            self.compressed.append(compressor.compress(chunk) + compressor.flush(zlib.Z_FULL_FLUSH))
        self.compressed.append(_DEFLATE_END + checksum.to_bytes(4, "little") + length.to_bytes(4, "little"))

    def render(self, _accept: str, accept_encoding: str) -> tuple[Sequence[bytes], dict[str, str]]:
        """Return the body in chunks, and its headers."""
        headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        if "gzip" in accept_encoding:
            return self.compressed, {**headers, "Content-Encoding": "gzip"}
        return self.plain, headers


def _line(rng: random.Random) -> bytes:
    source, count = f"{rng.getrandbits(32):08x}-data-source", rng.randrange(1000)
    return (
        'qbusiness_sync_jobs_completed_total{target="production",account_id="123456789012",region="us-east-1",'
        f'data_source_id="{source}",status="SUCCEEDED"}} {count}.0\n'
    ).encode()
