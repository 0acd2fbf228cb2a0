"""Faults that change the content of a successful response: any list, or the sync jobs in one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from exporter.simulator.job import TERMINAL
from exporter.simulator.pagination import AGAIN, BACK, PAST
from exporter.simulator.units import YEAR

if TYPE_CHECKING:
    from exporter.simulator.job_form import JobForm
    from exporter.simulator.wire import ApiCall, Response

Json = dict[str, Any]
Edit = Callable[["ApiCall", "Response"], "Response"]
JobEdit = Callable[["JobForm"], Edit]


def _edit_members(edit: Callable[[Json, str, ApiCall], Json]) -> Edit:
    """Return an edit that replaces members of the response; `edit` also gets the key of the response's list."""

    def change(call: ApiCall, response: Response) -> Response:
        data = json.loads(response.body)
        key = next((name for name, value in data.items() if isinstance(value, list)), None)
        if key is None:  # some services return tags as an object
            return response
        edited = edit(data, key, call)
        if key[0].isupper() and "nextToken" in edited:
            edited["NextToken"] = edited.pop("nextToken")
        return replace(response, body=json.dumps({**data, **edited}).encode())

    return change


def _replace_list(value: object) -> Edit:
    return _edit_members(lambda _data, key, _call: {key: value})


def _edit_list(change: Callable[[list[Json]], list[Any]]) -> Edit:
    """Return an edit that changes a page's list as a whole."""
    return _edit_members(lambda data, key, _call: {key: change(data[key])})


def _edit_jobs(change: Callable[[Json], Json]) -> JobEdit:
    """Return an edit that replaces members of each job, and removes those that become None.

    `change` gets and returns members in the form of Amazon Q Business.
    """

    def edit(form: JobForm) -> Edit:
        return _edit_list(lambda jobs: [form.to_service(_changed(form.from_service(job), change)) for job in jobs])

    return edit


def _changed(job: Json, change: Callable[[Json], Json]) -> Json:
    return {name: value for name, value in {**job, **change(job)}.items() if value is not None}


def _set_members(**members: object) -> JobEdit:
    return _edit_jobs(lambda _job: members)


def _set_counts(value: object) -> JobEdit:
    """Return an edit that replaces each document count in a job."""
    return _edit_jobs(lambda job: {"metrics": dict.fromkeys(job.get("metrics", {}), value)})


def _edit_times(change: Callable[[float], object]) -> JobEdit:
    return _edit_jobs(lambda job: {name: change(job[name]) for name in ("startTime", "endTime") if name in job})


def _contradict(form: JobForm) -> Edit:
    """Return an edit that lists each job twice, first as one in progress."""

    def syncing(job: Json) -> Json:
        return form.to_service({**form.from_service(job), "status": "SYNCING"})

    return _edit_list(lambda jobs: [*map(syncing, jobs), *jobs])


def _if_terminal(job: Json, **members: object) -> Json:
    return members if job.get("status") in TERMINAL else {}


def _looping_tokens(_data: Json, _key: str, call: ApiCall) -> Json:
    page = min(call.page, 2)
    a, b = f"loop-a-{page}", f"loop-b-{page}"
    return {"nextToken": b if call.token == a else a}


def _empty_page(_data: Json, key: str, call: ApiCall) -> Json:
    """Return an empty page whose token leads to the requested page."""
    return {} if call.token.startswith(AGAIN) else {key: [], "nextToken": AGAIN + call.token}


def _shift_next_page(prefix: str) -> Edit:
    """Return an edit after which the next page begins one entry too early or too late.

    This happens at AWS when entries appear or disappear between two requests.
    """

    def shift(data: Json, key: str, _call: ApiCall) -> Json:
        # After a page of one entry, a page that begins one entry earlier would be the same page, forever.
        token = data.get("nextToken") or data.get("NextToken")
        is_shifted = token and (prefix == PAST or len(data[key]) > 1)
        return {"nextToken": f"{prefix}{token}"} if is_shifted else {}

    return _edit_members(shift)


LIST_EDITS: dict[str, Edit] = {
    "result_object": _replace_list({}),
    "result_text": _replace_list(""),
    "result_null": _replace_list(None),
    "item_text": _replace_list(["job"]),
    "item_list": _replace_list([[]]),
    "same_token": _edit_members(lambda _data, _key, call: {"nextToken": f"same-{min(call.page, 2)}"}),
    "looping_tokens": _edit_members(_looping_tokens),
    "empty_page": _edit_members(_empty_page),
    "entry_again": _shift_next_page(BACK),
    "entry_passed_over": _shift_next_page(PAST),
    "repeated": _edit_list(lambda items: items * 2),
    "reordered": _edit_list(lambda items: items[::-1]),
}

JOB_EDITS: dict[str, JobEdit] = {
    "entry_text": lambda _form: _edit_list(lambda jobs: ["job", *jobs] if jobs else jobs),
    "metrics_text": _set_members(metrics="many"),
    "metrics_list": _set_members(metrics=[]),
    "status_number": _set_members(status=5),
    "error_text": _set_members(error="bad"),
    "start_object": _set_members(startTime={}),
    "contradicting": _contradict,
    "unknown_status": _set_members(status="PAUSED"),
    "unknown_error_code": _edit_jobs(
        lambda job: {"error": {"errorCode": "Gremlins"}} if job.get("status") == "FAILED" else {}
    ),
    "milliseconds": _edit_times(lambda seconds: seconds * 1000),
    "in_the_future": _edit_times(lambda seconds: seconds + 10 * YEAR),
    "end_in_the_future": _edit_jobs(lambda job: _if_terminal(job, endTime=job.get("endTime", 0) + 10 * YEAR)),
    "start_in_words": _set_members(startTime="yesterday"),
    "end_before_start": _set_members(endTime=1_000_000_000),
    "no_execution_id": _set_members(executionId=None),
    "no_start": _set_members(startTime=None),
    "no_end": _set_members(endTime=None),
    "no_metrics": _set_members(metrics=None),
    "negative_figures": _set_counts("-3"),
    "fractional_figures": _set_counts(12.5),
    "figures_in_words": _set_counts("12x"),
    "huge_figures": _set_counts("9" * 40),
}
