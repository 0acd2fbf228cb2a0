"""The values of the chart with their defaults and descriptions, from the comments of values.yaml.

The comments have the format of helm-docs: `# -- description` above a key, continued in the comment lines that follow.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MARK = "# -- "


@dataclass(frozen=True, slots=True)
class DescribedValue:
    """A value of the chart."""

    path: str
    default: str
    """In the notation of JSON."""
    description: str


def described_values(file: Path) -> list[DescribedValue]:
    """Return the values of a file in their order; raise ValueError if one has no description.

    A mapping with a description is one value. In a mapping without a description, each key is a value.
    """
    text = file.read_text()
    root = yaml.compose(text, yaml.SafeLoader)
    return list(_values(root, text.splitlines(), "")) if isinstance(root, yaml.MappingNode) else []


def _values(mapping: yaml.MappingNode, lines: list[str], prefix: str) -> Iterator[DescribedValue]:
    for key, node in mapping.value:
        path = f"{prefix}{key.value}"
        description = _description(lines, key.start_mark.line)
        if description:
            yield DescribedValue(path, json.dumps(_default(node)), description)
        elif isinstance(node, yaml.MappingNode) and node.value:
            yield from _values(node, lines, f"{path}.")
        else:
            raise ValueError(f"values.yaml:{key.start_mark.line + 1}: {path} has no description: add a line `{_MARK}…`")


def _description(lines: list[str], line: int) -> str:
    """Return the description in the comment that ends above a line, empty if there is none."""
    found: list[str] = []
    for comment in (text.strip() for text in reversed(lines[:line])):
        if comment.startswith(_MARK):
            return " ".join([comment.removeprefix(_MARK), *found])
        if not comment.startswith("#"):
            break
        found.insert(0, comment.removeprefix("# "))
    return ""


def _default(node: yaml.Node) -> object:
    return yaml.SafeLoader("").construct_object(node, deep=True)
