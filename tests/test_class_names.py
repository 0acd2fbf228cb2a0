"""No class name stands for two things, neither in the program nor in its tests."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("exporter", "simulation", "benchmarks", "tools", "docs", "deploy", "tests")
CLASS = re.compile(r"^class _*(\w+)", re.MULTILINE)


def test_no_two_classes_have_the_same_name() -> None:
    """A private class has no name of another class either: a reader who searches for a name finds one class."""
    places = defaultdict(list)
    for file in (file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))):
        for name in CLASS.findall(file.read_text()):
            places[name].append(str(file.relative_to(ROOT)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
