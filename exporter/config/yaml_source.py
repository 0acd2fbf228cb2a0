"""Parses YAML into plain data, with the position of each key and value."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from exporter.config.messages import quoted_key
from exporter.domain.quoting import quoted
from exporter.errors import ConfigError, ConfigProblem

if TYPE_CHECKING:
    from collections.abc import Sequence

    Loader = yaml.SafeLoader | yaml.CSafeLoader

KeyPath = tuple[str | int, ...]
MAX_NODES = 200_000  # limits the expansion of nested aliases; ten thousand data sources need fewer
_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_COLLECTIONS = {f"{_TAG}map", f"{_TAG}seq"}
_SCALARS = {
    f"{_TAG}null": "nothing",
    f"{_TAG}bool": "true or false",
    f"{_TAG}int": "a number",
    f"{_TAG}float": "a number",
}
# Dates are text, because no key expects a date, and names may look like dates. The last two are `=` and `<<` as values.
_TEXT = {f"{_TAG}str", f"{_TAG}timestamp", f"{_TAG}value", _MERGE}


@dataclass(slots=True)
class Source:
    """The data of a file, the positions of keys and values, and problems with the YAML itself."""

    file: str
    data: object = None
    values: dict[KeyPath, yaml.Mark] = field(default_factory=dict)
    keys: dict[KeyPath, yaml.Mark] = field(default_factory=dict)
    problems: list[ConfigProblem] = field(default_factory=list)

    def line(self, path: KeyPath) -> int:
        """Return the line of a value."""
        return self.values[path].line + 1

    def value(self, path: Sequence[str | int]) -> Any:  # noqa: ANN401 (YAML is anything)
        """Return the value at a path."""
        value: Any = self.data
        for part in path:
            value = value[part]
        return value

    def problem(self, path: Sequence[str | int], message: str, *, at_key: bool = False) -> ConfigProblem:
        """Return a problem at the position of a value or its key, or of the nearest section that exists."""
        path = tuple(path)
        while path and path not in self.values:
            path, at_key = path[:-1], False
        mark = (self.keys.get(path) if at_key else None) or self.values.get(path)
        return ConfigProblem(self.file, mark.line + 1 if mark else 1, mark.column + 1 if mark else 1, message)


def read(text: str, file: str) -> Source:
    """Parse YAML; raise ConfigError if the text is not YAML."""
    source = Source(file)
    try:
        loader, root = _parse(text)
        if root is not None:
            source.data = _Reader(loader, source).build(root, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise ConfigError([ConfigProblem(file, *where, f"not YAML: {_yaml_problem(error)}")]) from error
    except yaml.reader.ReaderError as error:
        line, column = text.count("\n", 0, error.position) + 1, error.position - text.rfind("\n", 0, error.position)
        message = f"not YAML: character #x{error.character:04x} is not allowed"
        raise ConfigError([ConfigProblem(file, line, column, message)]) from error
    except RecursionError as error:
        raise ConfigError([ConfigProblem(file, 1, 1, "not YAML: nested too deeply")]) from error
    return source


def _yaml_problem(error: yaml.MarkedYAMLError) -> str:
    """Return the sentence of an error. Its problem may be the second half, such as "but found another document"."""
    problem = error.problem or error.context or ""
    return f"{error.context} {problem}" if problem.startswith("but ") else problem


def _parse(text: str) -> tuple[Loader, yaml.Node | None]:
    """Return the only document of a text, and the loader that constructs its scalars; raise yaml.YAMLError.

    libyaml is several times as fast. If it rejects a text, PyYAML parses it again, because its errors are clearer.
    """
    if yaml.__with_libyaml__:
        with suppress(yaml.YAMLError, UnicodeEncodeError):  # from characters that are not valid in UTF-8
            fast = yaml.CSafeLoader(text)
            return fast, fast.get_single_node()
    loader = yaml.SafeLoader(text)
    return loader, loader.get_single_node()


class _Reader:
    """Builds data from YAML nodes like yaml.SafeLoader, but records positions and rejects duplicate keys and tags."""

    def __init__(self, loader: Loader, source: Source) -> None:
        self._loader = loader
        self._source = source
        self._count = 0
        self._ancestors: set[int] = set()

    def build(self, node: yaml.Node, path: KeyPath) -> Any:  # noqa: ANN401 (YAML is anything)
        self._check_limits(node)
        self._source.values[path] = node.start_mark
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        self._ancestors.add(id(node))
        try:
            if node.tag not in _COLLECTIONS:
                self._reject(node, _tag_message(node))
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            return [self.build(item, (*path, number)) for number, item in enumerate(node.value)]
        finally:
            self._ancestors.discard(id(node))

    def _check_limits(self, node: yaml.Node) -> None:
        self._count += 1
        if id(node) in self._ancestors:
            raise yaml.MarkedYAMLError(problem="an alias that contains itself", problem_mark=node.start_mark)
        if self._count > MAX_NODES:
            problem = f"more than {MAX_NODES} values after the expansion of aliases"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)

    def _reject(self, node: yaml.Node, message: str) -> None:
        mark = node.start_mark
        self._source.problems.append(ConfigProblem(self._source.file, mark.line + 1, mark.column + 1, message))

    def _scalar(self, node: yaml.ScalarNode) -> object:
        if node.tag in _TEXT:
            return node.value
        if node.tag not in _SCALARS:
            self._reject(node, _tag_message(node))
            return None
        try:
            return self._loader.construct_object(node)
        except (ValueError, LookupError):  # the value contradicts its explicit tag, or has thousands of digits
            self._reject(node, f"{quoted(node.value)} cannot be read as {_SCALARS[node.tag]}")
            return None

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, object]:
        built: dict[str, object] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._reject(key_node, "a key that is not text: write keys as plain words")
            elif key_node.tag == _MERGE:
                self._reject(
                    key_node,
                    "<<: merge keys are not supported: write the keys out, or use an alias for the whole section",
                )
            elif not key_node.value.isprintable():
                self._reject(key_node, f"{quoted_key(key_node.value)}: the key has characters that cannot be printed")
            elif key_node.value in built:
                key = key_node.value
                first = self._source.keys[(*path, key)].line + 1
                self._reject(key_node, f"{quoted_key(key)}: duplicate key, first in line {first}: remove one of them")
            else:
                here = (*path, key_node.value)
                self._source.keys[here] = key_node.start_mark
                built[key_node.value] = self.build(value_node, here)
                if _is_missing(value_node):
                    self._source.values[here] = key_node.start_mark
        return built


def _is_missing(node: yaml.Node) -> bool:
    """Return whether a value is missing. Then the position of its key is used, because the parsers differ."""
    return bool(node.start_mark.index == node.end_mark.index)


def _tag_message(node: yaml.Node) -> str:
    tag = node.tag.replace(_TAG, "!!")
    return f"the tag {quoted(tag)} is not allowed here: write the value without it"
