"""Looks up declarations in the models: the keys of a section, and the limits of a value."""

from __future__ import annotations

from functools import lru_cache
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, Tag
from pydantic.fields import FieldInfo

from exporter.config.messages import TEXT, Declared, Expected

if TYPE_CHECKING:
    from collections.abc import Sequence

_LIMITS = ("ge", "le", "min_length", "max_length")


def declared_at(model: type[BaseModel], path: Sequence[str | int], *, is_key: bool) -> Declared:
    """Return the declaration of the value at a path, or of the mapping key at its end."""
    # All items of a list have the same declaration. So a mistake that occurs in thousands of data sources is looked up
    # once.
    return _declared_at(model, tuple(0 if isinstance(part, int) else part for part in path), is_key=is_key)


@lru_cache(maxsize=256)
def _declared_at(model: type[BaseModel], path: tuple[str | int, ...], *, is_key: bool) -> Declared:
    annotation: Any = model
    metadata: list[Any] = []
    for position, part in enumerate(path, start=1):
        field = _field_below(annotation, part, is_key=is_key and position == len(path))
        annotation, metadata = _without_none(field)
    limits = {name: getattr(item, name) for item in metadata for name in _LIMITS if hasattr(item, name)}
    expected = next((item for item in metadata if isinstance(item, Expected)), TEXT)
    keys = [key for key, field in _fields_of(annotation).items() if not field.exclude] if _is_model(annotation) else []
    return Declared(expected, limits, keys, getattr(annotation, "foreign_keys", {}))


def _field_below(annotation: Any, part: str | int, *, is_key: bool) -> FieldInfo:  # noqa: ANN401 (an annotation is anything)
    """Return the field of a section, a variant, item of a tuple, or a key or value of a map."""
    if _is_model(annotation):
        return _fields_of(annotation)[str(part)]
    arguments = get_args(annotation)
    variants = {
        tag.tag: each for each in arguments for tag in getattr(each, "__metadata__", ()) if isinstance(tag, Tag)
    }
    if variants:
        return FieldInfo.from_annotation(variants[str(part)])
    return FieldInfo.from_annotation(arguments[0] if is_key or isinstance(part, int) else arguments[1])


def _without_none(field: FieldInfo) -> tuple[Any, list[Any]]:
    """Return the type and the metadata of a field; for `X | None`, return those of X."""
    arguments = get_args(field.annotation)
    if NoneType not in arguments:
        return field.annotation, field.metadata
    inner = FieldInfo.from_annotation(next(argument for argument in arguments if argument is not NoneType))
    return inner.annotation, [*field.metadata, *inner.metadata]


def _fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a model by their names in the file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _is_model(annotation: Any) -> bool:  # noqa: ANN401 (an annotation is anything)
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
