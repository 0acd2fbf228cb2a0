"""Page, JSON and alerts judge a data source by whether its content is in the index.

A real poller reads the sync jobs over HTTP, and a real promtool evaluates the rules over the metrics of each poll.
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from exporter.domain.units import DAY, HOUR
from tests.support.builders import NOON
from tests.support.shipped_rules import assert_firing_at_last, samples_of
from tests.support.status_site import serve_status
from tests.support.watched_source import WatchedSource, planned_job, repeated

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.simulator.job import PlannedJob

NO_CHANGES = {"added": 0, "modified": 0, "deleted": 0, "failed": 0}
DAILY = "cron(0 2 * * ? *)"


@dataclass(frozen=True)
class Case:
    """The jobs of a data source, and the problems that page, JSON and alerts report.

    `polled` are the times of the polls, in hours before NOON, and the rules see the result of each poll for `minutes`.
    `problems` are the alerts on the page, each with a part of its text. `alerts` are the alerts that only the rules
    fire.
    """

    jobs: list[PlannedJob]
    problems: dict[str, str]
    source: dict[str, Any] = field(default_factory=dict)
    polled: tuple[float, ...] = (0,)
    minutes: int = 40
    alerts: dict[str, str] = field(default_factory=dict)


CASES = {
    "failed and aborted alternately": Case(
        [
            *repeated(6, 12, "ABORTED", 1, 0.8),
            *repeated(6, 12, "FAILED", 7, 6.9, error_code="InvalidRequest", source_error="SPE-5001"),
            planned_job("SUCCEEDED", 960, 959, documents={**NO_CHANGES, "scanned": 500}),
        ],
        {"QBusinessSyncFailingRepeatedly": "The last 6 syncs failed"},
        minutes=75,
    ),
    "only aborted": Case(
        repeated(40, 6, "ABORTED", 1, 0.8, documents=NO_CHANGES),
        {"QBusinessSyncsWithoutContent": "The last 40 syncs indexed no content"},
        {"kind": "CUSTOM"},
    ),
    "deletions among few changes": Case(
        [
            planned_job("SUCCEEDED", 1, 0.9, documents={**NO_CHANGES, "added": 5, "deleted": 150}),
            planned_job("SUCCEEDED", 7, 6.9, documents={**NO_CHANGES, "added": 48_000}),
        ],
        {},
        {"kind": "CUSTOM"},
    ),
    "all documents of every sync failed": Case(
        repeated(6, 24, "INCOMPLETE", 1, 0.8, documents={**NO_CHANGES, "failed": 400, "scanned": 400}),
        {
            "QBusinessNoSuccessfulSync": "No content indexed for",
            "QBusinessSyncsWithoutContent": "The last 6 syncs indexed no content",
            "QBusinessSyncIncomplete": "400 of 400 scanned documents failed (100 %)",
        },
        {"schedule": DAILY, "created": NOON - 30 * DAY},
    ),
    "first sync added nothing": Case(
        [planned_job("SUCCEEDED", 0.9, 0.8, documents={**NO_CHANGES, "scanned": 120})],
        {"QBusinessFirstSyncAddedNothing": "The first sync scanned 120 documents and added none"},
        {"created": NOON - HOUR, "updated": NOON - HOUR},
    ),
    "first sync added nothing, and neither did the next": Case(
        [
            planned_job("SUCCEEDED", 2.9, 2.8, documents={**NO_CHANGES, "scanned": 120}),
            planned_job("SUCCEEDED", 0.9, 0.8, documents={**NO_CHANGES, "scanned": 120}),
        ],
        {"QBusinessFirstSyncAddedNothing": "The first sync scanned 120 documents and added none"},
        {"created": NOON - 3 * HOUR, "updated": NOON - 3 * HOUR},
        polled=(2, 0),
    ),
    "first sync added nothing, and the next added all": Case(
        [
            planned_job("SUCCEEDED", 2.9, 2.8, documents={**NO_CHANGES, "scanned": 120}),
            planned_job("SUCCEEDED", 0.9, 0.8, documents={**NO_CHANGES, "added": 120, "scanned": 120}),
        ],
        {},
        {"created": NOON - 3 * HOUR, "updated": NOON - 3 * HOUR},
        polled=(2, 0),
    ),
    "succeeded with failed documents": Case(
        [planned_job("SUCCEEDED", 0.9, 0.8, documents={**NO_CHANGES, "added": 60, "failed": 40, "scanned": 100})],
        {"QBusinessSyncIncomplete": "40 of 100 scanned documents failed (40 %)"},
    ),
    "failed documents of a sync without scanned documents": Case(
        [planned_job("SUCCEEDED", 0.9, 0.8, documents={**NO_CHANGES, "added": 9, "failed": 1})],
        {"QBusinessSyncIncomplete": "1 of 10 processed documents failed (10 %)"},
        {"kind": "CUSTOM"},
    ),
    "failed documents before a sync without changes": Case(
        [
            planned_job("INCOMPLETE", 3.9, 3.5, documents={**NO_CHANGES, "failed": 300, "scanned": 1000}),
            planned_job("SUCCEEDED", 3, 2.9, documents={**NO_CHANGES, "scanned": 1000}),
        ],
        {"QBusinessSyncIncomplete": "300 of 1000 scanned documents failed (30 %)"},
        polled=(3.4, 0),
    ),
    "failed documents more than a day ago": Case(
        [
            planned_job("INCOMPLETE", 24.9, 24.5, documents={**NO_CHANGES, "failed": 300, "scanned": 1000}),
            planned_job("SUCCEEDED", 3, 2.9, documents={**NO_CHANGES, "scanned": 1000}),
        ],
        {},
        polled=(24, 0),
    ),
    "deleted documents before a sync without changes": Case(
        [
            planned_job("SUCCEEDED", 23.9, 23.5, documents={**NO_CHANGES, "deleted": 300, "scanned": 700}),
            planned_job("SUCCEEDED", 3, 2.9, documents={**NO_CHANGES, "scanned": 700}),
        ],
        {"QBusinessDocumentsDeletedInBulk": "deleted 300 of 1000 documents (30 %)"},
        polled=(23, 0),
    ),
    "deleted documents more than a day ago": Case(
        [
            planned_job("SUCCEEDED", 24.9, 24.5, documents={**NO_CHANGES, "deleted": 300, "scanned": 700}),
            planned_job("SUCCEEDED", 3, 2.9, documents={**NO_CHANGES, "scanned": 700}),
        ],
        {},
        polled=(24, 0),
    ),
    "stuck without counts": Case(
        [
            planned_job("SYNCING", 30),
            *repeated(9, 48, "SUCCEEDED", 48, 47.7, documents={**NO_CHANGES, "added": 3}),
        ],
        {"QBusinessSyncRunningTooLong": "A sync has been running for 1 d 6 h"},
        {"kind": "CUSTOM"},
        minutes=400,
        alerts={"QBusinessSyncStuck": "critical"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_page_json_and_alerts_agree(name: str, tmp_path: Path) -> None:
    """Every problem is on the page and in the JSON, and its alert fires; no other alert does."""
    case = CASES[name]
    with WatchedSource(*case.jobs, **case.source) as watched:
        fixtures = list(watched.states(*case.polled))
    with serve_status(fixtures[-1]) as site:
        (source,), page = site.json()["data_sources"], html.unescape(site.get("/").text)
    problems = {problem["alert"]: problem for problem in source["problems"]}
    assert problems.keys() == case.problems.keys()
    for alert, text in case.problems.items():
        assert text in problems[alert]["text"]
        assert problems[alert]["text"] in page
    severities = {alert: problem["severity"] for alert, problem in problems.items()} | case.alerts
    expected = [(alert, severity, "hr") for alert, severity in severities.items()]
    assert_firing_at_last(tmp_path, [fixture.metrics().decode() for fixture in fixtures], case.minutes, expected)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"error_message": "A document is in the encoding ISO-8859-1, which is not supported."}, ""),
        ({"error_message": "Could not read issue OPS-1042 of the project: JIRA-5200"}, "JIRA-5200"),
        ({"error_message": "Could not connect to https://example.sharepoint.com/sites/HR-2024. SPE-5200"}, "SPE-5200"),
        ({"error_message": "Not completed.", "source_error": "S3.AccessDenied.KmsKeyDisabled"}, ""),
    ],
)
def test_all_outputs_have_both_error_texts_and_only_documented_codes(error: dict[str, str], code: str) -> None:
    """Both texts are complete in each output, and words of the customer are not label."""
    job = planned_job("FAILED", 1, 0.98, error_code="InvalidRequest", **error)
    with WatchedSource(job) as watched, capture_logs() as log:
        *_, fixture = watched.states(2, 0)
    with serve_status(fixture) as site:
        (source,), page = site.json()["data_sources"], html.unescape(site.get("/").text)
    raw = error.get("source_error")
    assert source["last_error"]["message"] == error["error_message"]
    assert (source["last_error"]["connector_code"], source["last_error"]["data_source_error_code"]) == (
        code or None,
        raw,
    )
    (line,) = (event for event in log if event["event"] == "sync job ended")
    assert (line["error"], line.get("connector_error_code", "")) == (error["error_message"], code)
    assert line.get("data_source_error_code") == raw
    assert all(text in page for text in (*error.values(), code))
    failures = [
        series
        for series, value in samples_of(fixture.metrics().decode()).items()
        if "_failures_total{" in series and value
    ]
    assert [f'connector_error_code="{code}"' in series for series in failures] == [True]
