"""The bill of materials: everything that is needed to run, in the versions that were tested, and nothing else."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from exporter import __version__

ROOT = Path(__file__).parents[3]


def normal(name: str) -> str:
    """Give a distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", name.strip())[0]).lower()


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    """Give what deploy/sbom wrote, and found valid by CycloneDX's schema."""
    found: dict[str, Any] = json.loads((ROOT / "sbom.cdx.json").read_text())
    return found


def test_it_is_of_this_program(bill: dict[str, Any]) -> None:
    """By name, version and licence."""
    component = bill["metadata"]["component"]
    assert (bill["bomFormat"], component["type"]) == ("CycloneDX", "application")
    assert (component["name"], component["version"]) == ("qbusiness-exporter", __version__)
    assert component["licenses"]


def test_it_names_what_is_needed_to_run(bill: dict[str, Any]) -> None:
    """Every dependency that pyproject.toml has, in the version that is tested, and no tool of tests or of pip."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]
    tested = {normal(name): version for name, version in (line.split("==") for line in lines)}
    found = {normal(component["name"]): component["version"] for component in bill["components"]}
    assert {normal(name) for name in project["dependencies"]} <= found.keys()
    assert found == {name: tested[name] for name in found}
    assert all(component["purl"].startswith("pkg:pypi/") for component in bill["components"])
    tools = {normal(name) for name in project["optional-dependencies"]["dev"]} | {"pip", "setuptools", "cyclonedx-bom"}
    assert not tools & found.keys()


def test_every_part_says_what_it_depends_on(bill: dict[str, Any]) -> None:
    """The program on its dependencies, and each of these on what the bill has too."""
    known = {component["bom-ref"] for component in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
    depends = {entry["ref"]: set(entry.get("dependsOn", ())) for entry in bill["dependencies"]}
    assert depends.keys() == known
    assert set().union(*depends.values()) <= known
    assert len(depends[bill["metadata"]["component"]["bom-ref"]]) >= 10
