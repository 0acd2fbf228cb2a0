"""One index as plain facts: what it is, how full it is, and what is wrong with it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from exporter.domain.model import DOCUMENTS_PER_UNIT, TEXT_BYTES_PER_UNIT
from exporter.status.formatting import percentage
from exporter.status.problems import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.snapshots import IndexSnapshot

NEAR = 0.9  # of its room, as the alerts have it


def describe_index(snapshot: IndexSnapshot) -> dict[str, Any]:
    """Give everything known of an index, as JSON has it: null is what AWS did not say."""
    facts = snapshot.facts
    filled = {
        "documents": _filled(facts.documents, facts.units, DOCUMENTS_PER_UNIT),
        "text_bytes": _filled(facts.text_bytes, facts.units, TEXT_BYTES_PER_UNIT),
    }
    problems = [asdict(problem) for problem in _problems(snapshot, filled)]
    return {
        "index_id": snapshot.id.index_id,
        "index": snapshot.name,
        "application": snapshot.application,
        "application_id": snapshot.id.application_id,
        "type": facts.type or None,
        "aws_account_id": snapshot.location.account or None,
        "aws_region": snapshot.location.region,
        "status": facts.status or None,
        "state": problems[0]["severity"] if problems else "ok",
        "problems": problems,
        "capacity_units": facts.units,
        **filled,
    }


def fullness(index: dict[str, Any]) -> tuple[object, ...]:
    """Order indexes: what is wrong first, then the fullest."""
    ratios = [index[kind]["ratio"] or 0.0 for kind in ("documents", "text_bytes")]
    return not index["problems"], -max(ratios), index["application"], index["index"], index["index_id"]


def _filled(used: int | None, units: int | None, per_unit: int) -> dict[str, Any]:
    limit = None if units is None else units * per_unit
    return {"used": used, "limit": limit, "ratio": used / limit if used is not None and limit else None}


def _problems(snapshot: IndexSnapshot, filled: dict[str, dict[str, Any]]) -> Iterator[Problem]:
    status = snapshot.facts.status
    if status and status != "ACTIVE":
        text = f"The index is {status}: nothing is indexed before it is ACTIVE."
        yield Problem("QBusinessIndexNotActive", Severity.WARNING, text)
    for kind, alert, what in (
        ("documents", "QBusinessIndexDocumentsNearLimit", "documents"),
        ("text_bytes", "QBusinessIndexTextNearLimit", "text"),
    ):
        ratio = filled[kind]["ratio"]
        if ratio is not None and ratio > NEAR:
            yield Problem(alert, Severity.WARNING, f"{percentage(ratio)} of the {what} that it has room for.")
