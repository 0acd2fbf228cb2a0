"""Sample lines of the text formats, rendered for many sources at a time.

prometheus_client renders the rest of a response. For each line and each format, it validates and escapes every name
again. This takes more than a millisecond for the 75 lines of one data source, and so seconds at a start with thousands
of data sources. This module sorts label names once, and renders the labels of a source once for all of its lines. The
tests compare whole responses with those of prometheus_client, byte for byte.

The two formats have the same lines, except for exemplars.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

EXEMPLAR_LABEL = "execution_id"
MAX_EXEMPLAR_LABELS = 128  # characters in the names and values of an exemplar's labels (OpenMetrics 1.0.0)
FormatLines = tuple[bytes, ...]
"""The lines of one family of one source, in each of `FORMATS`."""


class Identity:
    """The labels that all series of one source have."""

    __slots__ = ("names", "pairs", "text")

    def __init__(self, names: tuple[str, ...], values: Iterable[str]) -> None:
        """Render the labels."""
        self.names = names
        self.pairs = [f'{name}="{escaped(value)}"' for name, value in zip(names, values, strict=True)]
        self.text = _joined(names, self.pairs)
        """All labels in the format of a line, sorted by name."""


def lines_text(
    name: str, identity: Identity, labels: tuple[str, ...], samples: Iterable[tuple[tuple[str, ...], float]]
) -> str:
    """Return the lines of samples. A sample has the values of the family's own labels, and its value."""
    if _come_last(labels, identity.names):
        ends = _line_ends(labels, tuple(samples))
        return (start := f"{name}{{{identity.text},") + start.join(ends) if ends else ""
    names, pairs = (*identity.names, *labels), identity.pairs
    texts = ((_joined(names, [*pairs, *_own_pairs(labels, own)]), value) for own, value in samples)
    return "".join([f"{name}{{{text}}} {rendered_value(value)}\n" for text, value in texts])


@lru_cache(maxsize=1024)  # many sources have the same statuses, and the same small numbers
def _line_ends(labels: tuple[str, ...], samples: tuple[tuple[tuple[str, ...], float], ...]) -> tuple[str, ...]:
    """Return what follows the labels of a source on each line."""
    return tuple([f"{_own_text(labels, own)}}} {rendered_value(value)}\n" for own, value in samples])


@lru_cache
def _come_last(labels: tuple[str, ...], identity: tuple[str, ...]) -> bool:
    """Return whether a family's own labels are sorted after those of a source, as `status` and `le` are."""
    return bool(identity) and min(labels) > max(identity)


@lru_cache(maxsize=4096)  # error codes and undocumented statuses depend on the source, others on the declarations
def _own_text(labels: tuple[str, ...], values: tuple[str, ...]) -> str:
    return _joined(labels, _own_pairs(labels, values))


@lru_cache(maxsize=4096)  # as above
def _own_pairs(labels: tuple[str, ...], values: tuple[str, ...]) -> list[str]:
    return [f'{label}="{escaped(value)}"' for label, value in zip(labels, values, strict=True)]


def facts_line(name: str, identity: Identity, facts: Mapping[str, str]) -> str:
    """Return the line of a sample of 1 whose own labels are facts that differ between sources."""
    pairs = [*identity.pairs, *[f'{label}="{escaped(value)}"' for label, value in facts.items()]]
    return f"{name}{{{_joined((*identity.names, *facts), pairs)}}} {rendered_value(1.0)}\n"


def _joined(names: tuple[str, ...], pairs: list[str]) -> str:
    """Return labels sorted by name, as prometheus_client sorts them."""
    return ",".join([pairs[position] for position in _order(names)])


@lru_cache(maxsize=4096)  # labels of tags depend on the account
def _order(names: tuple[str, ...]) -> list[int]:
    """Return the positions of labels in the order of their names."""
    return sorted(range(len(names)), key=names.__getitem__)


def escaped(value: str) -> str:
    """Return a label value as both formats write it, without the quotes."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


@lru_cache(maxsize=4096)  # several families have the same time, and most sources have the same objectives
def rendered_value(value: float) -> str:
    """Return the value of a sample as both formats write it.

    A negative zero is rendered as zero: the cache cannot distinguish them.
    """
    return str(floatToGoString(value + 0.0))


def fits_exemplar(execution_id: str) -> bool:
    """Return whether an id is short enough for an exemplar. Some services allow longer ids."""
    return len(EXEMPLAR_LABEL) + len(execution_id) <= MAX_EXEMPLAR_LABELS


def with_exemplar(line: str, execution_id: str, value: float, timestamp: float) -> str:
    """Return a line of OpenMetrics with an exemplar; both lines without the line feed."""
    labels = f'{{{EXEMPLAR_LABEL}="{escaped(execution_id)}"}}'
    return f"{line} # {labels} {rendered_value(value)} {timestamp}"
