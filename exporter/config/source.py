"""YAML as plain data that remembers where each part of it stood."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from exporter.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

Path = tuple[str | int, ...]
MAX_NODES = 200_000  # aliases of aliases grow without bound; a configuration of ten thousand data sources does not


@dataclass(slots=True)
class Source:
    """A file's data, where its keys and values stand, and what is wrong with it as YAML."""

    file: str
    data: object = None
    values: dict[Path, yaml.Mark] = field(default_factory=dict)
    keys: dict[Path, yaml.Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, path: Sequence[str | int], message: str, *, at_key: bool = False) -> Problem:
        """Place a problem at a value, at its key, or at the nearest thing around it that the file has."""
        path = tuple(path)
        while path and path not in self.values:
            path, at_key = path[:-1], False
        mark = (self.keys.get(path) if at_key else None) or self.values.get(path)
        return Problem(self.file, mark.line + 1 if mark else 1, mark.column + 1 if mark else 1, message)


def read(text: str, file: str) -> Source:
    """Read YAML; raises ConfigError where it is not YAML at all."""
    source = Source(file)
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is not None:
            source.data = _Reader(loader, source).build(root, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise ConfigError([Problem(file, *where, f"not YAML: {error.problem or error.context}")]) from error
    except yaml.reader.ReaderError as error:
        line, column = text.count("\n", 0, error.position) + 1, error.position - text.rfind("\n", 0, error.position)
        message = f"not YAML: character #x{error.character:04x} is not allowed"
        raise ConfigError([Problem(file, line, column, message)]) from error
    except RecursionError as error:
        raise ConfigError([Problem(file, 1, 1, "not YAML: nested too deeply")]) from error
    return source


class _Reader:
    """Builds data from nodes, as yaml.SafeLoader would, but for noting marks and refusing what it lets pass."""

    def __init__(self, loader: yaml.SafeLoader, source: Source) -> None:
        self._loader = loader
        self._source = source
        self._count = 0
        self._open: set[int] = set()

    def build(self, node: yaml.Node, path: Path) -> Any:  # noqa: ANN401 (YAML is anything)
        self._count += 1
        if self._count > MAX_NODES or id(node) in self._open:
            raise yaml.MarkedYAMLError(problem="aliases that never end", problem_mark=node.start_mark)
        self._source.values[path] = node.start_mark
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [self.build(item, (*path, number)) for number, item in enumerate(node.value)]
            return self._scalar(node)
        finally:
            self._open.discard(id(node))

    def _scalar(self, node: yaml.Node) -> object:
        try:
            return self._loader.construct_object(node)
        except ValueError as error:
            raise yaml.MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from error

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        built: dict[str, object] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key that is not text", problem_mark=key_node.start_mark)
            key, mark = key_node.value, key_node.start_mark
            here = (*path, key)
            if key in built:
                first = self._source.keys[here].line + 1
                message = f"{key}: given twice, first in line {first}: keep one of them"
                self._source.problems.append(Problem(self._source.file, mark.line + 1, mark.column + 1, message))
                continue
            self._source.keys[here] = mark
            built[key] = self.build(value_node, here)
        return built
