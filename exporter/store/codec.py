"""The JSON form of histories: totals and jobs. Later releases can read what this release writes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from exporter.domain.counting.source_history import Histogram, SourceHistory
from exporter.domain.counting.tracked_job import CountState, TrackedJob
from exporter.domain.counting.unparsed_range import UnparsedRange
from exporter.domain.counting.unread_range import UnreadRange
from exporter.domain.model import DocumentCounts, SyncJob

if TYPE_CHECKING:
    from collections.abc import Mapping


# The exceptions of load functions for a text that no dump function wrote. Numbers and nesting in JSON have no limit.
UNREADABLE = (msgspec.MsgspecError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError)
# The keys in the JSON are older than the names in the code. They do not change, so that state files stay readable.
_SCALARS = {
    "watched_since": "watched_since",
    "as_of": "as_of",
    "last_succeeded": "last_succeeded",
    "last_indexed": "last_indexed",
    "horizon": "evicted_through",
    "forgotten_streak": "evicted_failure_streak",
}

# Members that are younger than the format, with their defaults, which are not written.
_YOUNGER_JOB_MEMBERS = {"data_source_error_code": "", "has_failure_reasons": False, "needs_explanation": False}
_YOUNGER_COUNTS = dict.fromkeys(("skipped", "metadata_scanned", "metadata_modified"))


class _JobRow(msgspec.Struct):
    """A job as JSON. msgspec decodes and checks rows faster than the standard library parses them."""

    job: SyncJob
    highest: DocumentCounts
    whole: bool
    accounted: CountState
    gone_since: float | None = None


class _TotalsRow(msgspec.Struct):
    """A history without its jobs as JSON."""

    watched_since: float
    as_of: float
    last_succeeded: float | None
    last_indexed: float | None
    horizon: float | None
    forgotten_streak: int
    completed: dict[str, int]
    documents: dict[str, int]
    failures: list[tuple[str, str, int]]
    durations: dict[str, Histogram]
    evicted_streak_without_content: int | None = None  # None in a row of an earlier commit
    clock_ahead: float | None = None
    unread: UnreadRange | None = None
    unparsed: UnparsedRange | None = None
    window: float | None = None


_JOB_DECODER = msgspec.json.Decoder(_JobRow)
_TOTALS_DECODER = msgspec.json.Decoder(_TotalsRow)


def dump_totals(history: SourceHistory) -> str:
    """Return a history without its jobs as JSON."""
    totals = {key: getattr(history, name) for key, name in _SCALARS.items()}
    if history.clock_ahead is not None:
        totals["clock_ahead"] = history.clock_ahead
    totals["evicted_streak_without_content"] = history.evicted_streak_without_content
    totals["completed"] = dict(history.completed)
    totals["documents"] = dict(history.documents)
    totals["failures"] = [[*label, count] for label, count in history.failures.items()]
    totals["durations"] = {status: _dump_histogram(histogram) for status, histogram in history.durations.items()}
    if history.unread is not None:
        totals["unread"] = _members(history.unread, {"unparsed_since": None})
    if history.unparsed is not None:
        totals["unparsed"] = _members(history.unparsed)
    if history.window is not None:
        totals["window"] = history.window
    return json.dumps(totals, separators=(",", ":"))


def load_history(totals: str, jobs: Mapping[str, TrackedJob]) -> SourceHistory:
    """Return the history in a text from `dump_totals`. Raise one of UNREADABLE for any other text."""
    row = _TOTALS_DECODER.decode(totals)
    if row.evicted_streak_without_content is None:
        _upgrade(row, jobs)
    return SourceHistory(
        **{name: getattr(row, key) for key, name in _SCALARS.items()},
        evicted_streak_without_content=row.evicted_streak_without_content or 0,
        clock_ahead=row.clock_ahead,
        jobs=jobs,
        completed=row.completed,
        documents=row.documents,
        failures={(code, connector): count for code, connector, count in row.failures},
        durations=row.durations,
        unread=row.unread,
        unparsed=row.unparsed,
        window=row.window,
    )


def _upgrade(row: _TotalsRow, jobs: Mapping[str, TrackedJob]) -> None:
    """Correct values that earlier commits derived from the status only, by whether content was indexed.

    Their `last_indexed` is too late if it is the end of an INCOMPLETE job whose documents all failed.
    """
    ends = {tracked.job.end_or_start: tracked.has_content for tracked in jobs.values() if tracked.job.is_terminal}
    if row.last_indexed is not None and ends.get(row.last_indexed) is False:
        times = [end for end, has_content in ends.items() if has_content]
        row.last_indexed = max([*times, *filter(None, [row.last_succeeded])], default=None)
    row.evicted_streak_without_content = row.forgotten_streak  # a lower bound, because FAILED jobs indexed no content


def dump_job(tracked: TrackedJob) -> str:
    """Return one job as JSON."""
    job = _members(tracked.job, _YOUNGER_JOB_MEMBERS)
    members = {
        "job": {**job, "documents": _members(tracked.job.documents, _YOUNGER_COUNTS)},
        "highest": _members(tracked.max_counts, _YOUNGER_COUNTS),
        "whole": tracked.counts_from_zero,
        "accounted": tracked.count_state,
        "gone_since": tracked.vanished_at,
    }
    return json.dumps(members, separators=(",", ":"))


def load_job(text: str) -> TrackedJob:
    """Return the job in a text from `dump_job`. Raise one of UNREADABLE for any other text."""
    row = _JOB_DECODER.decode(text)
    return TrackedJob(row.job, row.highest, row.whole, row.accounted, row.gone_since)


def _members(instance: msgspec.Struct, optional: Mapping[str, object] = {}) -> dict[str, Any]:
    """Return the members of a struct, without optional members that have their default."""
    return without_defaults(msgspec.structs.asdict(instance), optional)


def without_defaults(members: dict[str, Any], optional: Mapping[str, object]) -> dict[str, Any]:
    """Remove optional members that have their default, and return the others."""
    for name, default in optional.items():
        if members[name] == default:
            del members[name]
    return members


def _dump_histogram(histogram: Histogram) -> dict[str, Any]:
    return {**_members(histogram), "exemplars": [exemplar and _members(exemplar) for exemplar in histogram.exemplars]}
