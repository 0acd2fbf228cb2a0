"""Class names in the packages that ship or simulate."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_class_name_stands_for_two_things() -> None:
    """A reader who searches for a class finds one definition."""
    modules = [path for package in ("exporter", "simulation", "tools") for path in (ROOT / package).rglob("*.py")]
    assert modules
    names = Counter(
        node.name
        for path in modules
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, count in names.items() if count > 1] == []
