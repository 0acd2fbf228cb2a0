"""What the result of a query looks like, and what it asks for that there is not."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache

from prometheus_client import CollectorRegistry, ProcessCollector
from promql_parser import (
    AggregateExpr,
    BinaryExpr,
    Call,
    MatrixSelector,
    ParenExpr,
    SubqueryExpr,
    UnaryExpr,
    VectorSelector,
)

from exporter.metrics import INDEX_LABELS, SOURCE_LABELS
from tests.support.alert_rules import PROMETHEUS_LABELS, asked_for, declared, grouped_by, parts, read

_OF_SCRAPES = ("up", "scrape_duration_seconds", "scrape_samples_scraped")
_OF_ALERTS = {"alertname", "alertstate", "severity", "target", *SOURCE_LABELS, *INDEX_LABELS}


@cache
def known() -> dict[str, set[str]]:
    """Give every series that there is once the exporter is scraped and its rules are loaded, with its labels."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    process = {sample.name for metric in registry.collect() for sample in metric.samples}
    series = {name: labels | ({"le"} if name.endswith("_bucket") else set()) for name, labels in declared().items()}
    series |= {name: set() for name in (*_OF_SCRAPES, *process)}
    series |= dict.fromkeys(("ALERTS", "ALERTS_FOR_STATE"), _OF_ALERTS)
    return {name: labels | PROMETHEUS_LABELS for name, labels in series.items()}


def unknown(query: str) -> list[str]:
    """Name the series and labels that a query asks for and there are not; raises ValueError where it is no query."""
    asked = list(asked_for(query))
    wrong = [f"series {name}" for name, _ in asked if name not in known()]
    wrong += [
        f"label {label} of {name}" for name, by in asked for label in by if not _has(known().get(name, by), label)
    ]
    there = set().union(*(known().get(name, set()) for name, _ in asked)) | _made(query)
    return wrong + [f"label {label}" for label in grouped_by(query) - there]


def _has(labels: set[str], label: str) -> bool:
    return any(fnmatchcase(label, each) for each in labels)  # there are some such as tag_*


def _made(query: str) -> set[str]:
    calls = [part for part in parts(query) if isinstance(part, Call) and part.func.name == "label_replace"]
    return {part.args[1].val for part in calls}


def labels_of(query: str) -> set[str]:
    """Give the labels that the result of a query may have."""
    return _labels(read(query))


def _labels(node: object) -> set[str]:  # noqa: PLR0911 (one for each kind of part)
    match node:
        case VectorSelector():
            return known().get(str(node.name), set())
        case AggregateExpr():
            listed = set(node.modifier.labels) if node.modifier else set()
            return _labels(node.expr) if str(node.op) == "topk" else listed
        case BinaryExpr():
            left, right = _labels(node.lhs), _labels(node.rhs)
            return left | right if str(node.op) == "or" else left or right
        case Call():
            made = {node.args[1].val} if node.func.name == "label_replace" else set()
            return made.union(*(_labels(argument) for argument in node.args))
        case MatrixSelector():
            return _labels(node.vector_selector)
        case ParenExpr() | UnaryExpr() | SubqueryExpr():
            return _labels(node.expr)
    return set()
