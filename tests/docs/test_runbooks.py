"""Runbooks: every query, command and link in them works."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import botocore.session
import pytest
import yaml
from botocore import xform_name

from exporter.cli.arguments import parse
from exporter.domain.connector_codes import PREFIXES
from tests.support.alert_rules import (
    PROMETHEUS_LABELS,
    ROOT,
    RUNBOOKS,
    alerts,
    declared,
    hand_tested_alerts,
    queries,
    selected,
    unit_tests,
)
from tests.support.alert_rules import (
    parse as parse_query,
)

if TYPE_CHECKING:
    from tests.support.alert_rules import Rule

ALERTS = alerts()
BOOKS = sorted(RUNBOOKS.glob("*.md"))
STATUS_PAGE = ROOT / "exporter" / "web" / "page" / "templates" / "status.html"
_LINK = re.compile(r"\]\(([^)#]*)(?:#([^)]+))?\)")


def blocks(book: Path, language: str) -> list[str]:
    """Return the fenced code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", book.read_text(), re.DOTALL | re.MULTILINE)


def commands(book: Path) -> list[list[str]]:
    """Return each command of a runbook as a list of arguments."""
    lines = "".join(blocks(book, "console")).replace("\\\n", " ").splitlines()
    return [shlex.split(part) for line in lines for part in re.split(r"&&|;", line.removeprefix("$ "))]


def test_alerts_and_runbooks_correspond() -> None:
    """Every alert has a runbook, and every runbook has an alert."""
    assert {book.stem for book in BOOKS} - {"README"} == {alert.name for alert in ALERTS}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert.name))
def test_a_runbook_has_four_sections_and_a_query(alert: Rule) -> None:
    """The sections are Meaning, Impact, Diagnosis and Mitigation."""
    text = alert.runbook.read_text()
    assert text.startswith(f"# {alert.name}\n")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert [section.splitlines()[0] for section in sections] == ["Meaning", "Impact", "Diagnosis", "Mitigation"]
    assert all(len(section.splitlines()) > 2 for section in sections)
    assert queries(alert.runbook)


def test_promtool_accepts_every_query(tmp_path: Path) -> None:
    """As expressions of rules, they are valid in Prometheus 2."""
    expressions = [query for book in BOOKS for query in queries(book)]
    rules = [{"record": f"query:of_runbooks:{number}", "expr": query} for number, query in enumerate(expressions)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: str(book.stem))
def test_metrics_and_labels_of_queries_exist(book: Path) -> None:
    """Queries are valid in Prometheus 3, and select metrics and labels that the exporter exposes."""
    for query in queries(book):
        assert parse_query(query)
        for name, labels in selected(query):
            assert name in declared(), name
            assert labels <= declared()[name] | PROMETHEUS_LABELS, name


@pytest.mark.parametrize("alert", hand_tested_alerts(), ids=lambda alert: str(alert.name))
def test_placeholders_in_queries_are_labels_of_the_alert(alert: Rule) -> None:
    """The operator finds the value of each word in capitals in the notification."""
    (labels, *_) = (set(one["exp_labels"]) for _, tests in unit_tests(alert.name) for _, ones in tests for one in ones)
    placeholders = {word for query in queries(alert.runbook) for word in re.findall(r'"([A-Z_]+)"', query)}
    assert {word.lower() for word in placeholders} <= labels


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: str(book.stem))
def test_commands_are_valid(book: Path) -> None:
    """The service model has the operations and options of the AWS CLI, and the exporter can parse its own flags."""
    for program, *words in commands(book):
        match program:
            case "aws":
                service, operation, *options = words
                given = {word.removeprefix("--") for word in options if word.startswith("--")} - {"max-items"}
                assert given <= _options(service, operation), (operation, given)
            case "qbusiness-exporter":
                assert parse(words).command == words[0]
            case _:
                assert program in {"curl", "df", "kubectl", "ls", "psql", "touch"}, program


def _options(service: str, operation: str) -> set[str]:
    model = botocore.session.get_session().get_service_model(service)
    (name,) = (name for name in model.operation_names if xform_name(name, "-") == operation)
    shape = model.operation_model(name).input_shape
    return {xform_name(member, "-") for member in shape.members} if shape else set()


@pytest.mark.parametrize("book", [*BOOKS, ROOT / "docs" / "alerts.md"], ids=lambda book: str(book.stem))
def test_links_have_targets(book: Path) -> None:
    """Files, their headings, and the sections of the status page exist."""
    text = book.read_text()
    for target, section in _LINK.findall(text):
        page = book.parent / target if target else book
        assert page.exists(), target
        if section:
            headings = re.findall(r"^#+ (.*)", page.read_text(), re.MULTILINE)
            assert section in {heading.lower().replace("`", "").replace(" ", "-") for heading in headings}
    for part in re.findall(r"http://EXPORTER:10142/#(\w+)", text):
        assert f'<section id="{part}"' in STATUS_PAGE.read_text()


def test_the_documented_command_writes_every_alert(tmp_path: Path) -> None:
    """It is for the configuration directory of a Prometheus, and works unchanged."""
    (command,) = blocks(ROOT / "docs" / "alerts.md", "console")
    here = command.removeprefix("$ ").replace("/etc/prometheus/rules/", f"{tmp_path}/")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(here, shell=True, check=True, env=environment)  # noqa: S602 (the command of the page, as written)
    written = re.findall(r"- alert: (\w+)", (tmp_path / "qbusiness.yaml").read_text())
    assert sorted(written) == sorted(alert.name for alert in hand_tested_alerts())


def test_the_documented_prefixes_are_those_that_the_exporter_recognizes() -> None:
    """The page of connector codes lists each prefix."""
    listed = re.search(r"prefixes that AWS documents: ([A-Z,\s]+) and ([A-Z]+)\.", (RUNBOOKS / "README.md").read_text())
    assert listed
    assert [*re.findall(r"[A-Z]+", listed[1]), listed[2]] == sorted(PREFIXES)
