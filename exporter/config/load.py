"""Loads a configuration file, or reports every problem in it."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from exporter.config.checks import cross_field_errors, find_warnings
from exporter.config.fields import declared_at
from exporter.config.messages import Failure, message_for, quoted_key
from exporter.config.models import Config
from exporter.config.yaml_source import read
from exporter.errors import ConfigError, ConfigProblem
from exporter.files import read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from exporter.config.checks import Finding
    from exporter.config.yaml_source import Source

    Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, with warnings about settings that work but are not recommended."""

    config: Config
    warnings: tuple[ConfigProblem, ...]
    is_empty: bool = False  # without any key


def default() -> Config:
    """Return the configuration without a file: the region and the credentials of the SDK, discovery enabled."""
    return Config()


def load(path: Path, further_warnings: Callable[[Config], Iterable[Finding]] = lambda _: ()) -> Loaded:
    """Load a configuration file; raise ConfigError with every problem in it.

    `further_warnings` returns warnings about things that this package does not know, such as the names of metrics.
    """
    return parse(read_text(path), str(path), further_warnings)


def parse(text: str, file: str, further_warnings: Callable[[Config], Iterable[Finding]] = lambda _: ()) -> Loaded:
    """Parse a configuration; raise ConfigError with every problem in it."""
    with _paused_garbage_collection():
        source = read(text, file)
        config = validated(Config, source, cross_field_errors(source))
        findings = (*find_warnings(config), *further_warnings(config))
        warnings = tuple(source.problem(path, message) for path, message in findings)
        return Loaded(config, warnings, is_empty=not source.data)


@contextmanager
def _paused_garbage_collection() -> Iterator[None]:
    """Pause the search for reference cycles, which would take half of the time for a large configuration.

    The tree of YAML nodes grows by hundreds of thousands of objects, none of which is garbage yet. The collector would
    traverse all of them each time the tree has grown by a quarter. Pauses of several threads may overlap, and the
    thread that was first resumes the collection for all.
    """
    is_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_enabled:
            gc.enable()


def read_text(path: Path, read_bytes: Callable[[Path], bytes] = read_file) -> str:
    """Return the text of a file; raise ConfigError if it cannot be read or is not UTF-8."""
    file = str(path)
    try:
        return read_bytes(path).decode()
    except OSError as error:
        raise ConfigError([ConfigProblem(file, 1, 1, f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"not UTF-8: byte {error.object[error.start]:#04x}; save the file as UTF-8"
        raise ConfigError([ConfigProblem(file, line, column, message)]) from error


def require_content(file: Path, data: object) -> None:
    """Raise ConfigError if a file with content has become empty, because an empty file would apply the defaults.

    Example: a deploy script truncates the file before it writes it again.
    """
    if not data:
        message = "empty, although it was not when it was last read; to apply the defaults, restart the exporter"
        raise ConfigError([ConfigProblem(str(file), 1, 1, message)])


def validated(model: type[Model], source: Source, findings: Iterable[Finding]) -> Model:
    """Return the validated data of a file; raise ConfigError with every problem, including the findings."""
    problems = list(source.problems)
    config = None
    try:
        config = model.model_validate({} if source.data is None else source.data)
    except ValidationError as error:
        problems += [_problem(model, source, detail) for detail in error.errors() if not _is_consequence(detail)]
    problems += [source.problem(path, message) for path, message in findings]
    if problems or config is None:
        raise ConfigError(sorted(set(problems)))
    return config


def _is_consequence(detail: ErrorDetails) -> bool:
    """Return whether an error is only the consequence of another error.

    pydantic computes no default from invalid values, and does not count the invalid items of a list.
    """
    if detail["type"] == "too_short":
        return bool(len(detail["input"]) >= detail["ctx"]["min_length"])
    return detail["type"] == "default_factory_not_called"


def _problem(model: type[BaseModel], source: Source, detail: ErrorDetails) -> ConfigProblem:
    location = detail["loc"]
    path = _path_in_file(location)
    # pydantic appends "[key]" to the path if the key of a mapping is invalid. A file may also have a key of that name.
    is_key = path[-1:] == ("[key]",) and path not in source.keys
    is_unknown = detail["type"] == "extra_forbidden"
    if is_key:
        location, path = location[:-1], path[:-1]
    declared = declared_at(model, location[:-1] if is_unknown else location, is_key=is_key)
    key = next((quoted_key(part) for part in reversed(path) if isinstance(part, str)), "")
    # Messages quote the file. pydantic may report a parsed value, such as the seconds of a duration.
    value = source.value(path) if path in source.values and not is_key else detail["input"]
    message = message_for(detail, Failure(key, value, detail.get("ctx", {}), declared, is_key=is_key))
    return source.problem(path, f"{key}: {message}" if key else message, at_key=is_key or is_unknown)


def _path_in_file(location: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return a path without the service, which pydantic adds after the number of a target."""
    return (*location[:2], *location[3:]) if location[:1] == ("targets",) else location
