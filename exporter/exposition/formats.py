"""The formats of the page, and the samples of one thing rendered in each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE_OPENMETRICS
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client.core import Metric

_EOF = b"# EOF\n"
_FAMILY = re.compile(rb"^(?=# HELP )", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Format:
    """A format: its content type, how prometheus_client renders it, and what a page of it ends with."""

    content_type: str
    _generate: Callable[[_Collected], bytes]
    end: bytes = b""

    def render(self, metrics: Iterable[Metric]) -> bytes:
        """Render families, without the end of the page."""
        return self._generate(_Collected(metrics)).removesuffix(self.end)


@dataclass(frozen=True, slots=True)
class _Collected:
    """A registry of what is already there, as prometheus_client's renderers want one."""

    metrics: Iterable[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.metrics


TEXT = Format(CONTENT_TYPE_PLAIN_0_0_4, generate_latest)
OPENMETRICS = Format(CONTENT_TYPE_OPENMETRICS, generate_openmetrics, _EOF)
FORMATS = (TEXT, OPENMETRICS)

Lines = tuple[bytes, ...]
"""A piece of the page for each of some families: their headers, or their sample lines."""


def render_apart(metrics: Iterable[Metric]) -> tuple[tuple[Lines, ...], tuple[Lines, ...]]:
    """Render families in each of `FORMATS`: their headers, and their sample lines."""
    headers, samples = zip(*(_split(wanted.render(metrics)) for wanted in FORMATS), strict=True)
    # Only exemplars and the headers of counters differ: what is the same is kept once.
    return headers, (samples[0], *(_shared(lines, samples[0]) for lines in samples[1:]))


def _shared(lines: Lines, kept: Lines) -> Lines:
    if lines == kept:
        return kept
    return tuple(there if there == here else here for here, there in zip(lines, kept, strict=True))


def _split(page: bytes) -> tuple[Lines, Lines]:
    """Part a page into its families' headers and their sample lines; no sample line can begin like a header."""
    headers, samples = [], []
    for family in _FAMILY.split(page)[1:]:
        lines = family.splitlines(keepends=True)
        body = next((at for at, line in enumerate(lines) if not line.startswith(b"#")), len(lines))
        headers.append(b"".join(lines[:body]))
        samples.append(b"".join(lines[body:]))
    return tuple(headers), tuple(samples)
