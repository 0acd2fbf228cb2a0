"""The formats of the page, and the samples of one thing rendered in each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics.exposition import ALLOWUTF8
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE_OPENMETRICS
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

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
# Our names are letters and underscores: they come out the same, and are not looked through letter by letter.
OPENMETRICS = Format(CONTENT_TYPE_OPENMETRICS, partial(generate_openmetrics, escaping=ALLOWUTF8), _EOF)
FORMATS = (TEXT, OPENMETRICS)


class RenderedFamily(NamedTuple):
    """A family rendered in each of `FORMATS`: its header, and its sample lines."""

    headers: tuple[bytes, ...]
    lines: tuple[bytes, ...]


def render_apart(metrics: Iterable[Metric]) -> tuple[RenderedFamily, ...]:
    """Render families in each of `FORMATS`, the header of each apart from its sample lines."""
    pages = [split(wanted.render(metrics)) for wanted in FORMATS]
    return tuple(RenderedFamily(*zip(*family, strict=True)) for family in zip(*pages, strict=True))


def split(page: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Part a page into its families' headers and their sample lines; no sample line can begin like a header."""
    for family in _FAMILY.split(page)[1:]:
        lines = family.splitlines(keepends=True)
        body = next((at for at, line in enumerate(lines) if not line.startswith(b"#")), len(lines))
        yield b"".join(lines[:body]), b"".join(lines[body:])
