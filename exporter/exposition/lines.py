"""Sample lines of the text formats, rendered for many sources at a time.

prometheus_client renders the rest of a response. For each line and each format, it validates and escapes every name
again, which takes more than a millisecond for the 75 lines of one data source, and so seconds for a start with
thousands. Here the names and the label names of a line are sorted once, in a template, and the labels of a source are
rendered once for all lines of a family. The tests compare whole responses with those of prometheus_client, byte for
byte.

The two formats have the same lines, except where there are exemplars.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Callable

FormatLines = tuple[bytes, ...]
"""The lines of one family of one source, in each of `FORMATS`."""


class Identity(NamedTuple):
    """The labels that all series of one source have, sorted by name."""

    names: tuple[str, ...]
    text: str
    """The labels in the format of a line."""
    values: tuple[str, ...]
    """The escaped values, with each brace doubled for `str.format`."""

    @classmethod
    def of(cls, names: tuple[str, ...], values: tuple[str, ...]) -> Identity:
        """Sort the labels and escape the values."""
        labels = sorted(zip(names, map(escaped, values), strict=True))
        text = ",".join(f'{name}="{value}"' for name, value in labels)
        in_templates = (value.replace("{", "{{").replace("}", "}}") for _, value in labels)
        return cls(tuple(name for name, _ in labels), text, tuple(in_templates))


def line_format(name: str, identity: Identity, labels: tuple[str, ...]) -> Callable[..., str]:
    """Return a function that renders a line of one source.

    Its arguments are the escaped values of the family's own labels, and the rendered value of the sample.
    """
    return (_template(name, identity.names, labels) % identity.values).format


@lru_cache(maxsize=4096)  # labels of tags depend on the account, all others on the declarations alone
def _template(name: str, identity: tuple[str, ...], labels: tuple[str, ...]) -> str:
    """Return the template of the lines of a family, in which `%s` stands for the values of the identity.

    prometheus_client sorts the labels by name. Example: for the identity `job` and the own label `status`, the template
    is `name{{job="%s",status="{0}"}} {1}`.
    """
    values = dict.fromkeys(identity, "%s") | {label: f"{{{number}}}" for number, label in enumerate(labels)}
    pairs = ",".join(f'{label}="{value}"' for label, value in sorted(values.items()))
    return f"{name}{{{{{pairs}}}}} {{{len(labels)}}}\n"


def escaped(value: str) -> str:
    """Return a label value as both formats write it, without the quotes."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


@lru_cache(maxsize=4096)  # several families have the same time, and most sources the same objectives
def rendered_value(value: float) -> str:
    """Return the value of a sample as both formats write it.

    A negative zero is rendered as zero: the cache cannot distinguish them.
    """
    return str(floatToGoString(value + 0.0))


def with_exemplar(line: str, execution_id: str, value: float, timestamp: float) -> str:
    """Return a line of OpenMetrics with an exemplar."""
    labels = f'{{execution_id="{escaped(execution_id)}"}}'
    return f"{line[:-1]} # {labels} {rendered_value(value)} {timestamp}\n"
