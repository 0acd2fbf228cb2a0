"""Faults that change what a good answer says: any listing, or the jobs in one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from exporter.simulator.job import TERMINAL
from exporter.simulator.pagination import AGAIN, BACK, PAST

if TYPE_CHECKING:
    from exporter.simulator.wire import Call, Response

Json = dict[str, Any]
Edit = Callable[["Call", "Response"], "Response"]
LISTS = {
    "ListApplications": "applications",
    "ListIndices": "indices",
    "ListDataSources": "dataSources",
    "ListDataSourceSyncJobs": "history",
    "ListTagsForResource": "tags",
}
_YEARS = 10 * 365 * 86400.0


def result_key(call: Call) -> str:
    """Give the member that an operation's list is in."""
    return LISTS[call.operation]


def _edited(edit: Callable[[Json, str, Call], Json]) -> Edit:
    """Change members of an answer, given the one that its list is in."""

    def change(call: Call, response: Response) -> Response:
        data, key = json.loads(response.body), result_key(call)
        return replace(response, body=json.dumps({**data, **edit(data, key, call)}).encode())

    return change


def _result(value: object) -> Edit:
    return _edited(lambda _data, key, _call: {key: value})


def _listed(change: Callable[[list[Json]], list[Any]]) -> Edit:
    """Change a page's list as a whole."""
    return _edited(lambda data, key, _call: {key: change(data[key])})


def _each(change: Callable[[Json], Json]) -> Edit:
    """Change each job; a member that becomes None is taken away."""

    def changed(jobs: list[Json]) -> list[Json]:
        return [{name: value for name, value in {**job, **change(job)}.items() if value is not None} for job in jobs]

    return _listed(changed)


def _members(**members: object) -> Edit:
    return _each(lambda _job: members)


def _figures(value: object) -> Edit:
    """Say the same of every kind of document that a job says anything of."""
    return _each(lambda job: {"metrics": dict.fromkeys(job.get("metrics", {}), value)})


def _times(change: Callable[[float], object]) -> Edit:
    return _each(lambda job: {name: change(job[name]) for name in ("startTime", "endTime") if name in job})


def _of_terminal(job: Json, **members: object) -> Json:
    return members if job.get("status") in TERMINAL else {}


def _looping(_data: Json, _key: str, call: Call) -> Json:
    page = min(call.page, 2)
    a, b = f"loop-a-{page}", f"loop-b-{page}"
    return {"nextToken": b if call.token == a else a}


def _empty_page(_data: Json, key: str, call: Call) -> Json:
    """Give an empty page, and then the page that was asked for."""
    return {} if call.token.startswith(AGAIN) else {key: [], "nextToken": AGAIN + call.token}


def _shifted(prefix: str) -> Edit:
    """Let the next page begin elsewhere, as where entries come or go between two requests."""

    def shift(data: Json, key: str, _call: Call) -> Json:
        # A page of one entry that began an entry before would be the same again, and without end.
        moves = "nextToken" in data and (prefix == PAST or len(data[key]) > 1)
        return {"nextToken": prefix + data["nextToken"]} if moves else {}

    return _edited(shift)


EDITS: dict[str, Edit] = {
    "result_object": _result({}),
    "result_text": _result(""),
    "result_null": _result(None),
    "item_text": _result(["job"]),
    "item_list": _result([[]]),
    "same_token": _edited(lambda _data, _key, call: {"nextToken": f"same-{min(call.page, 2)}"}),
    "looping_tokens": _edited(_looping),
    "empty_page": _edited(_empty_page),
    "entry_again": _shifted(BACK),
    "entry_passed_over": _shifted(PAST),
    "repeated": _listed(lambda items: items * 2),
    "reordered": _listed(lambda items: items[::-1]),
}

JOB_EDITS: dict[str, Edit] = {
    "metrics_text": _members(metrics="many"),
    "metrics_list": _members(metrics=[]),
    "status_number": _members(status=5),
    "error_text": _members(error="bad"),
    "start_object": _members(startTime={}),
    "contradicting": _listed(lambda jobs: [{**job, "status": "SYNCING"} for job in jobs] + jobs),
    "unknown_status": _members(status="PAUSED"),
    "unknown_error_code": _each(lambda job: {"error": {"errorCode": "Gremlins"}} if job["status"] == "FAILED" else {}),
    "milliseconds": _times(lambda seconds: seconds * 1000),
    "in_the_future": _times(lambda seconds: seconds + _YEARS),
    "end_in_the_future": _each(lambda job: _of_terminal(job, endTime=job.get("endTime", 0) + _YEARS)),
    "start_in_words": _members(startTime="yesterday"),
    "end_before_start": _members(endTime=1_000_000_000),
    "no_execution_id": _members(executionId=None),
    "no_start": _members(startTime=None),
    "no_end": _members(endTime=None),
    "no_metrics": _members(metrics=None),
    "negative_figures": _figures("-3"),
    "fractional_figures": _figures(12.5),
    "figures_in_words": _figures("12x"),
    "huge_figures": _figures("9" * 40),
}
