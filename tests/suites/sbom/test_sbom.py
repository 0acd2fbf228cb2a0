"""The bill of materials has exactly the runtime dependencies, in the versions that the tests use."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from exporter import __version__

ROOT = Path(__file__).parents[3]


def normalize(name: str) -> str:
    """Return the normalized name of a requirement, as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", name.strip())[0]).lower()


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    """Return the bill of materials, which deploy/sbom has validated against the schema of CycloneDX."""
    loaded: dict[str, Any] = json.loads((ROOT / "sbom.cdx.json").read_text())
    return loaded


def test_the_bill_describes_the_exporter(bill: dict[str, Any]) -> None:
    """It has the name, version and license of the exporter."""
    component = bill["metadata"]["component"]
    assert (bill["bomFormat"], component["type"]) == ("CycloneDX", "application")
    assert (component["name"], component["version"]) == ("qbusiness-exporter", __version__)
    assert component["licenses"]


def test_the_components_are_the_runtime_dependencies(bill: dict[str, Any]) -> None:
    """Each dependency of pyproject.toml has the tested version. Development tools and pip are not included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]
    tested = {normalize(name): version for name, version in (line.split("==") for line in lines)}
    found = {normalize(component["name"]): component["version"] for component in bill["components"]}
    assert {normalize(name) for name in project["dependencies"]} <= found.keys()
    assert found == {name: tested[name] for name in found}
    assert all(component["purl"].startswith("pkg:pypi/") for component in bill["components"])
    tools = {normalize(name) for name in project["optional-dependencies"]["dev"]} | {
        "pip",
        "setuptools",
        "cyclonedx-bom",
    }
    assert not tools & found.keys()


def test_every_component_has_its_dependencies(bill: dict[str, Any]) -> None:
    """Each dependency of the exporter and of a component is a component of the bill."""
    known = {component["bom-ref"] for component in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
    depends = {entry["ref"]: set(entry.get("dependsOn", ())) for entry in bill["dependencies"]}
    assert depends.keys() == known
    assert set().union(*depends.values()) <= known
    assert len(depends[bill["metadata"]["component"]["bom-ref"]]) >= 10
