"""One container of data sources, such as an index, as plain data: its properties, its usage and its problems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.status.formatting import percentage
from exporter.status.problems import Problem, Severity, problem_to_json
from exporter.status.resources import containers_of, resource_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.snapshots import ContainerSnapshot

NEAR_LIMIT = 0.9  # shares of the capacity, as in the alerts


def index_to_json(snapshot: ContainerSnapshot) -> dict[str, Any]:
    """Return an index as an object of the JSON API; None for values that AWS does not report."""
    facts = snapshot.facts
    usage = {
        "documents": _usage(facts.documents, facts.documents_limit),
        "text_bytes": _usage(facts.text_bytes, facts.text_bytes_limit),
    }
    problems = [problem_to_json(problem) for problem in _problems(snapshot, usage)]
    return {
        **resource_fields(snapshot.id, snapshot.container_names()),
        "type": facts.type or None,
        "aws_account_id": snapshot.location.account or None,
        "aws_region": snapshot.location.region,
        "status": facts.status or None,
        "state": problems[0]["severity"] if problems else "ok",
        "problems": problems,
        "capacity_units": facts.units,
        "min_documents": snapshot.min_documents,
        **usage,
    }


def index_sort_key(index: dict[str, Any]) -> tuple[object, ...]:
    """Return a key that sorts indexes: those with problems first, then by usage, the fullest first."""
    ratios = [index[kind]["ratio"] or 0.0 for kind in ("documents", "text_bytes")]
    path = [(container.name or "", container.id) for container in containers_of(index)]
    return not index["problems"], -max(ratios), path


def _usage(used: int | None, limit: int | None) -> dict[str, Any]:
    return {"used": used, "limit": limit, "ratio": used / limit if used is not None and limit else None}


def _problems(snapshot: ContainerSnapshot, usage: dict[str, dict[str, Any]]) -> Iterator[Problem]:
    status, documents, required = snapshot.facts.status, snapshot.facts.documents, snapshot.min_documents
    service = snapshot.id.service
    container = service.container.text
    if status and status not in service.healthy_statuses:
        healthy = " or ".join(service.healthy_container_statuses)
        text = f"The {container} is {status}: no documents are indexed until it is {healthy}."
        yield Problem(service.alert("ContainerNotActive"), Severity.WARNING, text)
    if documents is not None and required is not None and documents < required:
        text = f"The {container} holds {documents} documents, fewer than the objective of {required:.0f}."
        yield Problem(service.alert("ContainerBelowMinimum"), Severity.WARNING, text)
    for kind, alert, limit in (
        ("documents", "ContainerDocumentsNearLimit", "document limit"),
        ("text_bytes", "ContainerTextNearLimit", "text limit"),
    ):
        ratio = usage[kind]["ratio"]
        if ratio is not None and ratio > NEAR_LIMIT:
            text = f"The {container} is at {percentage(ratio)} of its {limit}."
            yield Problem(service.alert(alert), Severity.WARNING, text)
