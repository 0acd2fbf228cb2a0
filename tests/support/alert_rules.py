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

from exporter.metrics import container_families, container_labels, source_families, source_labels
from exporter.providers.registry import DEFAULT_SERVICE, SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.service import Service

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULE_FILES = sorted((PROMETHEUS / "rules").glob("*.yaml"))
UNIT_TESTS = sorted((ROOT / "tests" / "rules").glob("*.yaml"))
RUNBOOKS = ROOT / "docs" / "runbooks"
PROMETHEUS_OWN = {"up": set[str](), "ALERTS": {"alertname", "alertstate", "severity", "service"}}
TARGET_LABELS = ("target", "service", "aws_account_id", "aws_region")
PROMETHEUS_LABELS = {"cluster", "namespace", "job", "instance"}  # added by the scrape, or by external_labels
SERIES_PREFIXES = tuple(f"{name}_" for name in SERVICES)
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
    def service(self) -> Service | None:
        """The service that it is about, or None for the exporter itself."""
        return SERVICES.get(self.file.name.partition("-")[0])

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


def hand_tested_alerts() -> list[Rule]:
    """Return the alerts that the files in tests/rules name: those of the exporter and of the default service."""
    return [alert for alert in alerts() if alert.service in {None, DEFAULT_SERVICE}]


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
    _, _, about_exporter = (ROOT / "docs" / "metrics.md").read_text().partition("\n## The exporter\n")
    for name, kind, labels in _ROW.findall(about_exporter):
        series |= _samples(name, kind, set(re.findall(r"`([\w*]+)`", labels)))
    for service in SERVICES.values():
        for family in source_families(service):
            series |= _samples(family.name, family.kind, {*source_labels(service), *family.labels})
        for family in container_families(service):
            series |= _samples(family.name, family.kind, {*container_labels(service), *family.labels})
    return series | {rule.name: _recorded_labels(rule) for rule in rules() if not rule.is_alert}


def _samples(name: str, kind: str, labels: set[str]) -> dict[str, set[str]]:
    return {name + end: labels for end in (_HISTOGRAM if kind == "histogram" else ("",))}


def _recorded_labels(rule: Rule) -> set[str]:
    if rule.service is None:
        return set(TARGET_LABELS)
    if rule.name.startswith("data_source:"):
        return {*source_labels(rule.service), "status", "expectation"}
    return set(container_labels(rule.service))


def _names_by_label(selector: VectorSelector) -> list[str]:
    """Return the names that a matcher of the form `prefix_(a|b)` selects."""
    (pattern,) = (matcher.value for matcher in selector.matchers.matchers if matcher.name == "__name__")
    prefix, choice = re.fullmatch(r"(\w+)\(([\w|]+)\)", pattern).groups()  # type: ignore[union-attr] # every such matcher has this form
    return [prefix + end for end in choice.split("|")]
