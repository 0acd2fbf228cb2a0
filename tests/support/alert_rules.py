"""The Prometheus rules in deploy/, and the metrics and labels of an expression."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import promql_parser
import yaml
from promql_parser import AggregateExpr, BinaryExpr, MatrixSelector, VectorSelector, parse_duration

from exporter.metrics import container_labels, source_labels
from exporter.providers.qbusiness.service import QBUSINESS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULE_FILES = sorted((PROMETHEUS / "rules").glob("*.yaml"))
UNIT_TESTS = sorted((ROOT / "tests" / "rules").glob("*.yaml"))
RUNBOOKS = ROOT / "docs" / "runbooks"
PROMETHEUS_OWN = {"up": set[str](), "ALERTS": {"alertname", "alertstate", "severity", "service"}}
SOURCE_LABELS, INDEX_LABELS = source_labels(QBUSINESS), container_labels(QBUSINESS)
TARGET_LABELS = ("target", "service", "aws_account_id", "aws_region")
PROMETHEUS_LABELS = {"cluster", "namespace", "job", "instance"}  # added by the scrape, or by external_labels
_ROW = re.compile(r"\| `(\w+)`(?: \(experimental\))? \| (\w+) \| (.*?) \|")
_HISTOGRAM = ("_bucket", "_sum", "_count")


@dataclass(frozen=True)
class Rule:
    """A rule and its file."""

    name: str
    file: Path
    expr: str
    is_alert: bool
    after: str = "0s"
    severity: str = ""
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def runbook(self) -> Path:
        """The file of its runbook."""
        return RUNBOOKS / f"{self.name}.md"


@cache
def rules() -> tuple[Rule, ...]:
    """Return every rule."""
    return tuple(
        Rule(
            rule.get("alert") or rule["record"],
            file,
            rule["expr"],
            "alert" in rule,
            rule.get("for", "0s"),
            rule.get("labels", {}).get("severity", ""),
            rule.get("annotations", {}),
        )
        for file in RULE_FILES
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
    )


def alerts() -> list[Rule]:
    """Return the alerting rules."""
    return [rule for rule in rules() if rule.is_alert]


def unit_tests(alertname: str) -> list[tuple[float, list[tuple[float, list[dict[str, Any]]]]]]:
    """Return the unit tests of an alert: the evaluation interval, and the expected alerts by time, in seconds."""
    found = []
    for file in UNIT_TESTS:
        content = yaml.safe_load(file.read_text())
        step = parse_duration(content["evaluation_interval"]).total_seconds()
        for group in content["tests"]:
            expected = [
                (parse_duration(case["eval_time"]).total_seconds(), case.get("exp_alerts") or [])
                for case in group.get("alert_rule_test", [])
                if case["alertname"] == alertname
            ]
            found.append((step, sorted(expected, key=lambda pair: pair[0])))
    return found


def queries(runbook: Path) -> list[str]:
    """Return the queries of a runbook."""
    return re.findall(r"^```promql\n(.*?)\n```", runbook.read_text(), re.DOTALL | re.MULTILINE)


def parse(expr: str) -> Any:
    """Parse an expression in the grammar of Prometheus 3, and check its types."""
    return promql_parser.parse(expr)


def nodes(expr: str) -> list[Any]:
    """Return every node of an expression."""
    found: list[Any] = []
    promql_parser.walk(parse(expr), found.append)
    return [*found, *(node.vector_selector for node in found if isinstance(node, MatrixSelector))]


def selected(expr: str) -> Iterator[tuple[str, set[str]]]:
    """Yield each metric that an expression selects, with the labels that it is selected by."""
    for node in nodes(expr):
        if isinstance(node, VectorSelector):
            labels = {matcher.name for matcher in node.matchers.matchers} - {"__name__"}
            for name in [node.name] if node.name else _names_by_label(node):
                yield name, labels


def grouped_by(expr: str) -> set[str]:
    """Return every label that an expression aggregates or matches by."""
    labels: set[str] = set()
    for node in nodes(expr):
        if isinstance(node, AggregateExpr | BinaryExpr) and node.modifier:
            if isinstance(node, AggregateExpr):
                labels |= set(node.modifier.labels)
            else:
                labels |= set(node.modifier.matching.labels if node.modifier.matching else [])
                labels |= set(node.modifier.group_labels or [])
    return labels


@cache
def declared() -> dict[str, set[str]]:
    """Return the labels of every series of the exporter, of its rules and of Prometheus itself."""
    series = dict(PROMETHEUS_OWN)
    section = ""
    for line in (ROOT / "docs" / "metrics.md").read_text().splitlines():
        section = line if line.startswith("## ") else section
        if row := _ROW.match(line):
            labels = set(re.findall(r"`([\w*]+)`", row[3])) | _section_labels(section)
            series |= {row[1] + end: labels for end in (_HISTOGRAM if row[2] == "histogram" else ("",))}
    return series | {rule.name: _recorded_labels(rule) for rule in rules() if not rule.is_alert}


def _section_labels(section: str) -> set[str]:
    return set({"D": SOURCE_LABELS, "I": INDEX_LABELS}.get(section[3:4], ()))


def _recorded_labels(rule: Rule) -> set[str]:
    level = rule.name.partition(":")[0]
    return set(
        {"index": INDEX_LABELS, "instance_target": TARGET_LABELS}.get(level, (*SOURCE_LABELS, "status", "expectation"))
    )


def _names_by_label(selector: VectorSelector) -> list[str]:
    """Return the names that a matcher of the form `prefix_(a|b)` selects."""
    (pattern,) = (matcher.value for matcher in selector.matchers.matchers if matcher.name == "__name__")
    prefix, choice = re.fullmatch(r"(\w+)\(([\w|]+)\)", pattern).groups()  # type: ignore[union-attr] # every such matcher has this form
    return [prefix + end for end in choice.split("|")]
