"""How a source's history is written down: as JSON that the next release can still read."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from exporter.domain.model import DataSource, Description, DocumentCounts, SourceId, SyncJob
from exporter.domain.snapshots import SavedSource
from exporter.domain.source_history import CountState, Exemplar, Histogram, SourceHistory, TrackedJob

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import DataclassInstance

# What reading back raises for a text that was not written here: the numbers of JSON may be infinite, its depth too.
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError)
# The names in the JSON are older than those in the code. They stay, so that every release reads every state file.
_SCALARS = {
    "watched_since": "watched_since",
    "as_of": "as_of",
    "last_succeeded": "last_succeeded",
    "last_indexed": "last_indexed",
    "horizon": "evicted_through",
    "forgotten_streak": "evicted_failure_streak",
}


def dump_totals(history: SourceHistory) -> str:
    """Write down everything of a history but its jobs."""
    totals = {key: getattr(history, name) for key, name in _SCALARS.items()}
    totals["completed"] = dict(history.completed)
    totals["documents"] = dict(history.documents)
    totals["failures"] = [[*label, count] for label, count in history.failures.items()]
    totals["durations"] = {status: _dump_histogram(histogram) for status, histogram in history.durations.items()}
    return json.dumps(totals, separators=(",", ":"))


def load_history(totals: str, jobs: Mapping[str, TrackedJob]) -> SourceHistory:
    """Read a history back; raises one of UNREADABLE for what was not written by `dump_totals`."""
    raw = json.loads(totals)
    return SourceHistory(
        **{name: raw[key] for key, name in _SCALARS.items()},
        jobs=dict(jobs),
        completed=_counts(raw["completed"]),
        documents=_counts(raw["documents"]),
        failures={(str(code), str(connector)): int(count) for code, connector, count in raw["failures"]},
        durations={status: _histogram(histogram) for status, histogram in raw["durations"].items()},
    )


def dump_job(known: TrackedJob) -> str:
    """Write down one job."""
    members = {
        "job": {**_members(known.job), "documents": _members(known.job.documents)},
        "highest": _members(known.max_counts),
        "whole": known.counts_from_zero,
        "accounted": known.count_state,
        "gone_since": known.vanished_at,
    }
    return json.dumps(members, separators=(",", ":"))


def load_job(text: str) -> TrackedJob:
    """Read a job back; raises one of UNREADABLE for what was not written by `dump_job`."""
    raw = json.loads(text)
    job = raw.pop("job")
    documents = DocumentCounts(**job.pop("documents"))
    return TrackedJob(
        job=SyncJob(documents=documents, **job),
        max_counts=DocumentCounts(**raw["highest"]),
        counts_from_zero=raw["whole"],
        count_state=CountState(raw["accounted"]),
        vanished_at=raw.get("gone_since"),
    )


def dump_known(known: SavedSource) -> str:
    """Write down how a data source was found."""
    members = {"source": asdict(known.source), "index": known.index, "about": asdict(known.description)}
    return json.dumps(members, separators=(",", ":"))


def load_known(text: str) -> SavedSource:
    """Read back how a data source was found; raises one of UNREADABLE for anything else."""
    raw = json.loads(text)
    source, description = raw["source"], raw["about"]
    identifier = SourceId(**source.pop("id"))
    labels = tuple((str(name), str(value)) for name, value in source.pop("labels"))
    tags = tuple((str(key), str(value)) for key, value in description.pop("tags"))
    return SavedSource(
        source=DataSource(id=identifier, labels=labels, **source),
        index=str(raw["index"]),
        description=Description(tags=tags, **description),
    )


def _members(thing: DataclassInstance) -> dict[str, Any]:
    """Give the members of a dataclass as they are: `asdict` copies all that is in them, and commits are many."""
    return {item.name: getattr(thing, item.name) for item in fields(thing)}


def _dump_histogram(histogram: Histogram) -> dict[str, Any]:
    return {**_members(histogram), "exemplars": [seen and _members(seen) for seen in histogram.exemplars]}


def _counts(raw: Mapping[str, Any]) -> dict[str, int]:
    return {name: int(count) for name, count in raw.items()}


def _histogram(raw: Mapping[str, Any]) -> Histogram:
    return Histogram(
        bounds=tuple(raw["bounds"]),
        counts=tuple(raw["counts"]),
        sum=float(raw["sum"]),
        exemplars=tuple(Exemplar(**exemplar) if exemplar else None for exemplar in raw["exemplars"]),
    )
