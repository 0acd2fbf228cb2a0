"""Sample lines of the text formats, rendered for many sources at a time.

prometheus_client renders the rest of a response. For each line and each format, it validates and escapes every name
again, which takes more than a millisecond for the 75 lines of one data source, and so seconds for a start with
thousands. Here the names and the label names of a line are validated and sorted once, in `line_format`. The tests
compare whole responses with those of prometheus_client, byte for byte.

The two formats have the same lines, except where there are exemplars.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Callable

_FREQUENT = {0.0: "0.0", 1.0: "1.0"}  # the values of state sets, and of most counters

FormatLines = tuple[bytes, ...]
"""The lines of one family of one source, in each of `FORMATS`."""


class Identity(NamedTuple):
    """The labels that all series of one source have: their names, and their escaped values."""

    names: tuple[str, ...]
    values: tuple[str, ...]

    @classmethod
    def of(cls, names: tuple[str, ...], values: tuple[str, ...]) -> Identity:
        """Escape the values."""
        return cls(names, tuple(map(escaped, values)))


@lru_cache(maxsize=4096)  # labels of tags depend on the account, all others on the declarations alone
def line_format(name: str, labels: tuple[str, ...]) -> Callable[..., str]:
    """Return a function that renders a line from the escaped values of these labels, and the rendered sample value.

    prometheus_client sorts the labels by name. Example: for the labels `status` and `job`, the line is
    `name{job="2nd argument",status="1st argument"} 3rd argument`.
    """
    pairs = (f'{label}="{{{number}}}"' for label, number in sorted(zip(labels, range(len(labels)), strict=True)))
    return f"{name}{{{{{','.join(pairs)}}}}} {{{len(labels)}}}\n".format


def escaped(value: str) -> str:
    """Return a label value as both formats write it, without the quotes."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def rendered_value(value: float) -> str:
    """Return the value of a sample as both formats write it."""
    return _FREQUENT.get(value) or floatToGoString(value)


def with_exemplar(line: str, execution_id: str, value: float, timestamp: float) -> str:
    """Return a line of OpenMetrics with an exemplar."""
    labels = f'{{execution_id="{escaped(execution_id)}"}}'
    return f"{line[:-1]} # {labels} {rendered_value(value)} {timestamp}\n"
