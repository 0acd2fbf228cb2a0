"""The exposition formats, and the rendering of families in each of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics.exposition import ALLOWUTF8
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE_OPENMETRICS
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from prometheus_client.core import Metric

    from exporter.exposition.lines import FormatLines

_EOF = b"# EOF\n"
_FAMILY = re.compile(rb"^(?=# HELP )", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Format:
    """An exposition format: its content type, its renderer, and the last line of a response."""

    content_type: str
    _generate: Callable[[_Collected], bytes]
    end: bytes = b""

    def render(self, metrics: Iterable[Metric]) -> bytes:
        """Render families, without the last line of a response."""
        return self._generate(_Collected(metrics)).removesuffix(self.end)


@dataclass(frozen=True, slots=True)
class _Collected:
    """The part of a registry that prometheus_client's renderers need, with families that were collected before."""

    metrics: Iterable[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.metrics


TEXT = Format(CONTENT_TYPE_PLAIN_0_0_4, generate_latest)
# The names of metrics consist of letters and underscores, so escaping changes nothing. This escaping is the fastest.
OPENMETRICS = Format(CONTENT_TYPE_OPENMETRICS, partial(generate_openmetrics, escaping=ALLOWUTF8), _EOF)
FORMATS = (TEXT, OPENMETRICS)


def render_headers(declared: Mapping[str, Metric]) -> dict[str, FormatLines]:
    """Return the lines with the help text and the type of each family, in each of `FORMATS`."""
    return {
        name: tuple(next(split_families(wanted.render([metric])))[0] for wanted in FORMATS)
        for name, metric in declared.items()
    }


def split_families(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the header and the sample lines of each family.

    A sample line cannot look like a header, because line feeds in label values are escaped.
    """
    for family in _FAMILY.split(body)[1:]:
        lines = family.splitlines(keepends=True)
        start = next((number for number, line in enumerate(lines) if not line.startswith(b"#")), len(lines))
        yield b"".join(lines[:start]), b"".join(lines[start:])
