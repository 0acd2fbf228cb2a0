"""The labels of the result of a query, and the series and labels in it that do not exist."""

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

from exporter.metrics import container_labels, source_labels
from exporter.providers.registry import SERVICES
from tests.support.alert_rules import PROMETHEUS_LABELS, declared, grouped_by, nodes, parse, selected

_SCRAPE_METRICS = ("up", "scrape_duration_seconds", "scrape_samples_scraped")
_ALERT_LABELS = {
    "alertname",
    "alertstate",
    "severity",
    "target",
    *(label for service in SERVICES.values() for label in (*source_labels(service), *container_labels(service))),
}


@cache
def known() -> dict[str, set[str]]:
    """Return the labels of every series in a Prometheus that scrapes the exporter and has its rules."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    process = {sample.name for metric in registry.collect() for sample in metric.samples}
    series = {name: labels | ({"le"} if name.endswith("_bucket") else set()) for name, labels in declared().items()}
    series |= {name: set() for name in (*_SCRAPE_METRICS, *process)}
    series |= dict.fromkeys(("ALERTS", "ALERTS_FOR_STATE"), _ALERT_LABELS)
    return {name: labels | PROMETHEUS_LABELS for name, labels in series.items()}


def unknown(query: str) -> list[str]:
    """Return the series and labels of a query that do not exist; raise ValueError if it cannot be parsed."""
    selectors = list(selected(query))
    wrong = [f"series {name}" for name, _ in selectors if name not in known()]
    wrong += [
        f"label {label} of {name}" for name, by in selectors for label in by if not _has(known().get(name, by), label)
    ]
    available = set().union(*(known().get(name, set()) for name, _ in selectors)) | _added_labels(query)
    return wrong + [f"label {label}" for label in grouped_by(query) - available]


def _has(labels: set[str], label: str) -> bool:
    return any(fnmatchcase(label, each) for each in labels)  # labels such as tag_* are patterns


def _added_labels(query: str) -> set[str]:
    calls = [node for node in nodes(query) if isinstance(node, Call) and node.func.name == "label_replace"]
    return {node.args[1].val for node in calls}


def labels_of(query: str) -> set[str]:
    """Return the labels that the result of a query may have."""
    return _labels(parse(query))


def _labels(node: object) -> set[str]:  # noqa: PLR0911 (one for each type of node)
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
            added = {node.args[1].val} if node.func.name == "label_replace" else set()
            return added.union(*(_labels(argument) for argument in node.args))
        case MatrixSelector():
            return _labels(node.vector_selector)
        case ParenExpr() | UnaryExpr() | SubqueryExpr():
            return _labels(node.expr)
    return set()
