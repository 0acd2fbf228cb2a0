"""The documentation: every link leads somewhere, and what it names is there."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

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
    """Give each page."""
    path: Path = request.param
    return path


def anchors(page: Path) -> set[str]:
    """Give the anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def spelled_out(name: str) -> list[str]:
    """Spell a name with alternatives in braces out."""
    pieces = [piece.strip("{}").split(",") for piece in re.split(r"(\{[^}]+\})", name)]
    return ["".join(choice) for choice in product(*pieces)]


def test_links_lead_to_what_is_there(page: Path) -> None:
    """Files, and headings within them; what is outside of the project is not asked for."""
    dead = []
    for link in LINK.findall(CODE.sub("", page.read_text())):
        file, _, anchor = link.partition("#")
        if "://" in link or file.startswith("mailto:"):
            continue
        aim = (page.parent / file).resolve() if file else page
        if not aim.exists() or (anchor and anchor not in anchors(aim)):
            dead.append(link)
    assert dead == []


def test_metrics_that_are_named_exist(page: Path) -> None:
    """Also those of histograms, and those that stand with alternatives in braces."""
    named = {name for found in METRIC.findall(page.read_text()) for name in spelled_out(found)}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in declared()} | set(declared())
    beginnings = {name for name in named if any(family.startswith(name) for family in families)}
    assert named - beginnings == set()


def test_alerts_that_are_named_exist(page: Path) -> None:
    """And are spelled as in the rules."""
    named = set(re.findall(r"\bQBusiness[A-Z]\w+", page.read_text()))
    assert named - {alert.name for alert in alerts()} == set()


def test_queries_can_be_asked(page: Path) -> None:
    """They parse, and ask for series and labels that there are."""
    for block in re.findall(r"^```promql\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        for query in block.split("\n\n"):
            assert unknown(query) == [], query
