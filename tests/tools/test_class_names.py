"""Class names, in the program and in its tests."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("exporter", "simulation", "benchmarks", "tools", "docs", "deploy", "tests")
CLASS = re.compile(r"^class _*(\w+)", re.MULTILINE)


def test_no_class_name_stands_for_two_things() -> None:
    """A reader who searches for a class finds one definition. This includes private classes."""
    places = defaultdict(list)
    for file in (file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))):
        for name in CLASS.findall(file.read_text()):
            places[name].append(str(file.relative_to(ROOT)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
