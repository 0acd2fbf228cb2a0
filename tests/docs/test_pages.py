"""The documentation: links, metrics, alerts and queries on every page exist."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

from exporter.cli.arguments import COMMANDS
from tests.support.alert_rules import alerts, declared
from tests.support.promql import unknown

ROOT = Path(__file__).parents[2]
PARTS = ("benchmarks", "deploy", "docs")
PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part == "node_modules" for part in path.relative_to(ROOT).parts)
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
METRIC = re.compile(r"(?<![:\w])qbusiness_(?:[a-z0-9_]|\{[a-z,]+\})+")
CODE = re.compile(r"`[^`\n]+`|^```.*?^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(params=PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def page(request: pytest.FixtureRequest) -> Path:
    """Return each page."""
    path: Path = request.param
    return path


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub creates for the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def expand_braces(name: str) -> list[str]:
    """Return the names that a name with alternatives in braces stands for."""
    parts = [part.strip("{}").split(",") for part in re.split(r"(\{[^}]+\})", name)]
    return ["".join(choice) for choice in product(*parts)]


def test_the_readme_lists_every_command() -> None:
    """A user looks there first."""
    listed = re.findall(r"^\| `([a-z]+)\b[^|]*` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert set(listed) == COMMANDS.keys()


def test_links_have_targets(page: Path) -> None:
    """Links to files and headings of the project exist. External links are not tested."""
    broken = []
    for link in LINK.findall(CODE.sub("", page.read_text())):
        file, _, anchor = link.partition("#")
        if "://" in link or file.startswith("mailto:"):
            continue
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_metrics_exist(page: Path) -> None:
    """This includes the series of histograms, and names with alternatives in braces."""
    named = {name for found in METRIC.findall(page.read_text()) for name in expand_braces(found)}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in declared()} | set(declared())
    prefixes = {name for name in named if any(family.startswith(name) for family in families)}
    assert named - prefixes == set()


def test_alerts_exist(page: Path) -> None:
    """The names are those of the rules."""
    named = set(re.findall(r"\bQBusiness[A-Z]\w+", page.read_text()))
    assert named - {alert.name for alert in alerts()} == set()


def test_queries_are_valid(page: Path) -> None:
    """They can be parsed, and their series and labels exist."""
    for block in re.findall(r"^```promql\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        for query in block.split("\n\n"):
            assert unknown(query) == [], query


def test_every_module_of_the_simulation_is_described() -> None:
    """The tables of the page name all modules except the entry points."""
    described = set(re.findall(r"(\w+\.py)`", (ROOT / "docs" / "simulation.md").read_text()))
    modules = {path.name for path in (ROOT / "simulation").rglob("*.py")}
    assert modules - described == {"__init__.py", "__main__.py"}
