"""From a file to a configuration, or to every problem that it has."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from exporter.config.checks import cross_field_errors, find_warnings
from exporter.config.messages import kind_of, quoted_key
from exporter.config.models import Config
from exporter.config.yaml_source import read
from exporter.errors import ConfigError, ConfigProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from exporter.config.checks import Finding
    from exporter.config.yaml_source import Source

    Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, and what is unwise in it."""

    config: Config
    warnings: tuple[ConfigProblem, ...]


def default() -> Config:
    """Give the configuration of no file at all: the SDK's own region and credentials, discovery on."""
    return Config()


def load(path: Path) -> Loaded:
    """Read a configuration file; raises ConfigError with every problem in it."""
    return parse(text_of(path), str(path))


def parse(text: str, file: str) -> Loaded:
    """Read a configuration; raises ConfigError with every problem in it."""
    source = read(text, file)
    config = validated(Config, source, cross_field_errors(source))
    return Loaded(config, tuple(source.problem(path, message) for path, message in find_warnings(config)))


def text_of(path: Path, content: Callable[[Path], bytes] = Path.read_bytes) -> str:
    """Read a file as text; raises ConfigError that says why it cannot be."""
    file = str(path)
    try:
        return content(path).decode()
    except OSError as error:
        raise ConfigError([ConfigProblem(file, 1, 1, f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"not UTF-8: byte {error.object[error.start]:#04x}; save the file as UTF-8"
        raise ConfigError([ConfigProblem(file, line, column, message)]) from error


def validated(model: type[Model], source: Source, findings: Iterable[Finding]) -> Model:
    """Read a file's data by a model; raises ConfigError with every problem, the findings among them."""
    problems = list(source.problems)
    config = None
    try:
        config = model.model_validate({} if source.data is None else source.data)
    except ValidationError as error:
        problems += [_explain(model, source, detail) for detail in error.errors()]
    problems += [source.problem(path, message) for path, message in findings]
    if problems or config is None:
        raise ConfigError(sorted(set(problems)))
    return config


def _explain(model: type[BaseModel], source: Source, detail: ErrorDetails) -> ConfigProblem:
    path, kind = detail["loc"], detail["type"]
    if path and path[-1] == "[key]" and path not in source.keys:  # pydantic's way to say that a key itself is wrong
        return source.problem(path[:-1], f"{quoted_key(path[-2])}: {detail['ctx']['error']}", at_key=True)
    name = next((part for part in reversed(path) if isinstance(part, str)), None)
    key = "" if name is None else quoted_key(name)
    prefix = f"{key}: " if key else ""
    if kind == "extra_forbidden":
        return source.problem(path, f"{key}: no such key{_suggestion(model, path)}", at_key=True)
    if kind == "missing":
        return source.problem(path[:-1], f"{key} is missing")
    if kind == "value_error":
        return source.problem(path, prefix + str(detail["ctx"]["error"]))
    return source.problem(path, prefix + _shape(kind, detail["input"]))


def _shape(kind: str, found: object) -> str:
    if kind == "tuple_type":
        return f"{kind_of(found)} where a list belongs: begin each entry with a hyphen"
    return f"{kind_of(found)} where keys and values belong"


def _suggestion(model: type[BaseModel], path: Sequence[str | int]) -> str:
    known = [name for name, field in _fields_at(model, path[:-1]).items() if not field.exclude]
    close = difflib.get_close_matches(str(path[-1]), known, 1)
    return f"; did you mean {close[0]}?" if close else f"; known here: {', '.join(known)}"


def _fields_at(model: Any, path: Sequence[str | int]) -> dict[str, FieldInfo]:  # noqa: ANN401 (a model's class)
    fields = _fields_of(model)
    for part in path:
        if isinstance(part, str):
            fields = _fields_of(_model_of(fields[part].annotation))
    return fields


def _fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_of(annotation: Any) -> Any:  # noqa: ANN401 (an annotation is anything)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(model for argument in annotation.__args__ if (model := _model_of_or_none(argument)))


def _model_of_or_none(annotation: Any) -> Any:  # noqa: ANN401 (an annotation is anything)
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return annotation if is_model else None
