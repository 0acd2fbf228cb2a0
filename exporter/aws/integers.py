"""Integers in responses. If the model of the API has an integer, botocore truncates a fraction without an error.

A count of 12.5 documents would become 12. But it is not a count, so the response is malformed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from botocore.model import OperationModel, Shape

    Members = Mapping[str, "Members"]

_INTEGERS = {"integer", "long"}
_ITEM = "[]"  # stands for each item of a list


def find_fraction(operation: OperationModel, response: object) -> str | None:
    """Return the path of an integer member that has a fraction, such as `items[].count`; None if there is none."""
    path = _find(_integers_of(operation), response)
    return ".".join(path).replace(f".{_ITEM}", _ITEM) if path else None


@lru_cache(maxsize=64)  # one entry for each operation in use
def _integers_of(operation: OperationModel) -> Members | None:
    """Return the members of a response that are integers or contain integers."""
    return _integers_below(operation.output_shape, ()) if operation.output_shape else None


def _integers_below(shape: Shape, above: tuple[str, ...]) -> Members | None:
    """Return the integers below a shape; an empty mapping if it is an integer itself, None if there are none.

    `above` are the shapes that contain this one. A shape may contain itself.
    """
    if shape.type_name in _INTEGERS:
        return {}
    if shape.name in above:
        return None
    within = (*above, shape.name)
    parts: dict[str, Shape] = dict(getattr(shape, "members", {}))
    if shape.type_name == "list":
        parts = {_ITEM: shape.member}  # type: ignore[attr-defined]  # of a list
    below = {part.serialization.get("name", name): _integers_below(part, within) for name, part in parts.items()}
    return {name: members for name, members in below.items() if members is not None} or None


def _find(members: Members | None, value: object) -> tuple[str, ...] | None:
    """Return the names on the way to the first fraction; None if there is none."""
    if members is None:
        return None
    if isinstance(value, float) and not members:
        return None if value.is_integer() else ()
    parts: Iterable[tuple[str, object]] = ()
    if isinstance(value, list):
        parts = ((_ITEM, item) for item in value)
    elif isinstance(value, dict):
        parts = value.items()
    for name, part in parts:
        path = _find(members.get(name), part)
        if path is not None:
            return (name, *path)
    return None
