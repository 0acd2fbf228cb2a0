"""Sample lines of the text formats, rendered for many sources at a time.

prometheus_client renders the rest of a response. For each line and each format, it validates and escapes every name
again. This takes more than a millisecond for the 75 lines of one data source, and so seconds at a start with thousands
of data sources. This module sorts the label names of a line once, in a template, and renders the labels of a source
once for all lines of a family. The tests compare whole responses with those of prometheus_client, byte for byte.

The two formats have the same lines, except for exemplars.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FormatLines = tuple[bytes, ...]
"""The lines of one family of one source, in each of `FORMATS`."""


class Identity(NamedTuple):
    """The labels that all series of one source have, sorted by name."""

    names: tuple[str, ...]
    text: str
    """The labels in the format of a line."""
    values: tuple[str, ...]
    """The escaped values."""

    @classmethod
    def of(cls, names: tuple[str, ...], values: tuple[str, ...]) -> Identity:
        """Sort the labels and escape the values."""
        labels = sorted(zip(names, map(escaped, values), strict=True))
        text = ",".join([f'{name}="{value}"' for name, value in labels])
        return cls(tuple([name for name, _ in labels]), text, tuple([value for _, value in labels]))


def lines_text(
    name: str, identity: Identity, labels: tuple[str, ...], samples: Sequence[tuple[tuple[str, ...], float]]
) -> str:
    """Return the lines of samples. A sample has the values of the family's own labels, and its value."""
    template = _template(name, identity.names, labels, tuple([values for values, _ in samples]))
    arguments: list[str] = []
    for _, value in samples:
        arguments += identity.values
        arguments.append(rendered_value(value))
    return template % tuple(arguments)


@lru_cache(maxsize=1024)  # error codes and undocumented statuses depend on the source, others on the declarations
def _template(name: str, identity: tuple[str, ...], labels: tuple[str, ...], lines: tuple[tuple[str, ...], ...]) -> str:
    """Return the template of lines with these values of own labels; `%s` stands for the values that differ by source.

    prometheus_client sorts the labels by name. Example: for the identity `job` and the own label `status`, the template
    of the lines for `on` and `off` has a line `name{job="%s",status="on"} %s` and another one for `off`.
    """
    shared = dict.fromkeys(identity, "%s")
    return "".join([_line_template(name, shared, zip(labels, values, strict=True)) for values in lines])


def _line_template(name: str, identity: Mapping[str, str], own: Iterable[tuple[str, str]]) -> str:
    values = {label: escaped(value).replace("%", "%%") for label, value in own}
    pairs = ",".join(f'{label}="{value}"' for label, value in sorted({**identity, **values}.items()))
    return f"{name}{{{pairs}}} %s\n"


def facts_line(name: str, identity: Identity, facts: Mapping[str, str]) -> str:
    """Return the line of a sample of 1 whose own labels are facts that differ between sources."""
    values = {
        **dict(zip(identity.names, identity.values, strict=True)),
        **dict(zip(facts, map(escaped, facts.values()), strict=True)),
    }
    return _facts_template(name, identity.names, tuple(facts)) % values


@lru_cache(maxsize=4096)  # labels of tags depend on the account
def _facts_template(name: str, identity: tuple[str, ...], facts: tuple[str, ...]) -> str:
    pairs = ",".join(f'{label}="%({label})s"' for label in sorted({*identity, *facts}))
    return f"{name}{{{pairs}}} {rendered_value(1.0)}\n"


def escaped(value: str) -> str:
    """Return a label value as both formats write it, without the quotes."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


@lru_cache(maxsize=4096)  # several families have the same time, and most sources have the same objectives
def rendered_value(value: float) -> str:
    """Return the value of a sample as both formats write it.

    A negative zero is rendered as zero: the cache cannot distinguish them.
    """
    return str(floatToGoString(value + 0.0))


def with_exemplar(line: str, execution_id: str, value: float, timestamp: float) -> str:
    """Return a line of OpenMetrics with an exemplar; both lines without the line feed."""
    labels = f'{{execution_id="{escaped(execution_id)}"}}'
    return f"{line} # {labels} {rendered_value(value)} {timestamp}"
