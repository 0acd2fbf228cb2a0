"""The document behind the status page and the JSON agrees with the metrics, the alerts and AWS."""

from __future__ import annotations

import gc
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from exporter.domain.model import DOCUMENT_KINDS
from exporter.domain.snapshots import PollFailure
from exporter.domain.units import DAY, HOUR
from exporter.errors import Reason
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.status.formatting import format_duration, percentage
from exporter.status.problems import RULES
from exporter.status.query import Query, QueryError
from tests.support.alert_rules import hand_tested_alerts
from tests.support.builders import NOON, make_job
from tests.support.expected_sources import (
    sources_with_new_objectives,
    sources_with_new_schedules,
    sources_without_schedule,
)
from tests.support.shipped_rules import assert_firing
from tests.support.status_fixtures import (
    DAILY,
    HEALTH,
    LOCATION,
    TARGET,
    StatusFixture,
    alerting,
    ended_job,
    example_sources,
    make_container_snapshot,
    make_snapshot,
    running_job,
)

if TYPE_CHECKING:
    from pathlib import Path


NOT_ASSESSED = frozenset({"SyncStuck", "DocumentsDropped", "DocumentsStayFailed", "ContainerShrank"})
"""Alerts that need past values, which a snapshot does not have."""
INDEX_ALERTS = {alert.name for alert in hand_tested_alerts() if alert.name.startswith("QBusinessIndex")}


def source_in(fixture: StatusFixture, name: str) -> dict[str, Any]:
    """Return one source of the document."""
    return next(each for each in fixture.status.document(Query())["data_sources"] if each["data_source"] == name)


def shipped_alerts() -> dict[str, str]:
    """Return the severities of the shipped alerts by name."""
    return {rule.name: rule.severity for rule in hand_tested_alerts()}


def test_problems_are_what_the_shipped_alerts_fire_on(tmp_path: Path) -> None:
    """A real promtool evaluates the rules over the metrics of the same data sources, with the same result."""
    indexes = [
        make_container_snapshot(1, "full", documents=19_000),
        make_container_snapshot(2, "fuller", text_bytes=199_000_000),
        make_container_snapshot(3, "empty"),
        make_container_snapshot(5, "below-minimum", min_documents=101),
        make_container_snapshot(6, "at-minimum", min_documents=100),
        make_container_snapshot(7, "not-counted", min_documents=100, documents=None),
    ]
    indexes.append(make_container_snapshot(4, "deleting", status="DELETING", units=None))
    new = [*sources_with_new_schedules(), *sources_with_new_objectives()]
    fixture = StatusFixture.of([*example_sources(), *new, *sources_without_schedule()], indexes)
    document = fixture.status.document(Query())
    expected = {
        kind: [
            (problem["alert"], problem["severity"], each[kind])
            for each in document[name]
            for problem in alerting(each["problems"])
        ]
        for kind, name in (("data_source", "data_sources"), ("index", "indexes"))
    }
    assert_firing(tmp_path, fixture.metrics().decode(), expected, LOCATION)
    reported = {problem["alert"] for each in document["data_sources"] for problem in each["problems"]}
    assert reported == {QBUSINESS.alert(rule.kind) for rule in RULES}
    of_indexes = {problem["alert"] for each in document["indexes"] for problem in each["problems"]}
    assert of_indexes == INDEX_ALERTS - {QBUSINESS.alert(kind) for kind in NOT_ASSESSED}


def test_every_alert_of_a_data_source_has_a_rule_or_is_not_assessed() -> None:
    """Each rule has the name and severity of an alert, and no alert is missing."""
    shipped = shipped_alerts()
    assessed = {QBUSINESS.alert(rule.kind): rule.severity for rule in RULES}
    assert assessed.items() <= shipped.items()
    of_exporter = {rule.name for rule in hand_tested_alerts() if rule.file.name == "exporter.yaml"}
    not_assessed = {QBUSINESS.alert(kind) for kind in NOT_ASSESSED}
    assert shipped.keys() - of_exporter - INDEX_ALERTS - not_assessed == assessed.keys() - of_exporter


def test_a_sync_is_overdue_only_half_an_hour_after_its_firing() -> None:
    """Many schedules fire at the same time, and their syncs need some minutes to start."""
    at = NOON - NOON % DAY + 2 * HOUR  # the schedule fires
    fixture = StatusFixture.of(
        [make_snapshot(1, "hr", ended_job("SUCCEEDED", NOON - at + DAY, scanned=9), schedule=DAILY)]
    )
    fixture.clock.wall = at + 60
    fixture.publish(replace(fixture.sources.snapshots()[0][0], polled_at=at + 59))
    assert source_in(fixture, "hr")["problems"] == []
    assert source_in(fixture, "hr")["schedule"]["due"] is True
    fixture.clock.advance(1742)
    assert [problem["alert"] for problem in source_in(fixture, "hr")["problems"]] == ["QBusinessSyncOverdue"]


def test_a_source_becomes_stale_without_a_new_snapshot() -> None:
    """The passing of time is enough."""
    fixture = StatusFixture.of([make_snapshot(1, "hr", ended_job("SUCCEEDED", HOUR, scanned=9))])
    assert source_in(fixture, "hr")["freshness"] == {
        "last_poll_succeeded": True,
        "last_poll_error": None,
        "polled_at": NOON,
        "age_seconds": 0.0,
        "stale": False,
    }
    fixture.clock.advance(1801)
    assert source_in(fixture, "hr")["freshness"]["stale"] is True
    assert source_in(fixture, "hr")["freshness"]["age_seconds"] == 1801
    assert fixture.status.document(Query())["summary"]["stale"] == 1


def test_the_reason_of_failing_polls_is_in_the_document() -> None:
    """The JSON has the whole error, and the problem its reason."""
    failure = PollFailure(Reason.ACCESS_DENIED, "ListDataSourceSyncJobs: not authorized")
    stale = replace(
        make_snapshot(1, "hr", ended_job("SUCCEEDED", 2 * HOUR, scanned=9), polled=HOUR),
        poll_succeeded=False,
        poll_failure=failure,
    )
    source = source_in(StatusFixture.of([stale]), "hr")
    assert source["freshness"]["last_poll_error"] == {"reason": "access_denied", "message": failure.message}
    assert [problem["text"].partition(":")[0] for problem in source["problems"]] == [
        "Polls are failing (access_denied)"
    ]


def test_values_that_aws_does_not_report_are_null_and_not_zero() -> None:
    """This holds for the values of a run, and for a source before its first poll."""
    fixture = StatusFixture.of(example_sources())
    run = source_in(fixture, "not-reported")["last_completed"]
    assert run["documents"] == {**dict.fromkeys(DOCUMENT_KINDS), "added": 0}
    assert source_in(fixture, "end-not-reported")["last_completed"]["ended_at"] is None
    assert source_in(fixture, "end-not-reported")["last_completed"]["duration_seconds"] is None
    waiting = source_in(fixture, "waiting")
    assert waiting["state"] == "waiting"
    for name in ("latest", "last_completed", "last_error", "running", "consecutive_failures", "last_succeeded_at"):
        assert waiting[name] is None
    bare = StatusFixture.of([replace(make_snapshot(1, "bare"), description=None, location=None, container="")])
    source = source_in(bare, "bare")
    assert [source[name] for name in ("type", "status", "schedule", "created_at", "aws_region", "index")] == [None] * 6
    (unknown,) = StatusFixture.of((), [make_container_snapshot(documents=None, units=None)]).status.document(Query())[
        "indexes"
    ]
    assert unknown["documents"] == {"used": None, "limit": None, "ratio": None}
    assert unknown["text_bytes"] == {"used": 10**6, "limit": None, "ratio": None}


def test_the_end_time_of_a_job_in_progress_is_ignored() -> None:
    """AWS has returned jobs with status SYNCING_INDEXING and an endTime that increased later."""
    moving = make_job("a", "SYNCING_INDEXING", NOON - 900, 600)
    (run,) = source_in(StatusFixture.of([make_snapshot(1, "hr", moving)]), "hr")["runs"]
    assert (run["ended"], run["ended_at"], run["duration_seconds"]) == (False, None, None)


def test_the_last_error_is_complete_and_current_until_a_later_run_ends() -> None:
    """A later success does not hide the error, but marks it as not current."""
    text = "SPE-5122 expired\n" + "x" * 2031
    failed = structs.replace(
        ended_job("FAILED", HOUR),
        error_code="InvalidRequest",
        error_message=text,
        connector_error="SPE-5122",
        data_source_error_code="spe-5122",
    )
    fixture = StatusFixture.of(
        [make_snapshot(1, "now", failed), make_snapshot(2, "then", failed, ended_job("SUCCEEDED", 60, scanned=1))]
    )
    now, then = (source_in(fixture, name)["last_error"] for name in ("now", "then"))
    assert now == {
        "execution_id": failed.execution_id,
        "started_at": failed.started,
        "current": True,
        "code": "InvalidRequest",
        "connector_code": "SPE-5122",
        "data_source_error_code": "spe-5122",
        "message": text,
    }
    assert then == {**now, "current": False}
    assert source_in(fixture, "now")["problems"][0]["text"] == "The last sync failed: InvalidRequest SPE-5122."


def test_sources_are_sorted_by_severity_then_by_name() -> None:
    """Among sources of one state, those that are syncing come first."""
    fine, worst = ended_job("SUCCEEDED", HOUR, scanned=9), [ended_job("FAILED", n * HOUR, n) for n in (1, 2, 3)]
    fixture = StatusFixture.of(
        [
            make_snapshot(1, "b", fine, schedule=DAILY),
            make_snapshot(2, "a", fine, schedule=DAILY),
            make_snapshot(3, "c", fine, running_job(60), schedule=DAILY),
            make_snapshot(4, "d", worst[0]),
            make_snapshot(5, "e", *worst),
            make_snapshot(6, "f", fine, schedule="whenever"),
        ]
    )
    document = fixture.status.document(Query())
    assert [each["data_source"] for each in document["data_sources"]] == ["e", "d", "f", "c", "a", "b"]
    assert (
        document["summary"] | {"data_sources": 6, "problem": 2, "critical": 1, "warning": 1, "info": 1}
        == (document["summary"])
    )
    assert (document["summary"]["syncing"], document["summary"]["ok"]) == (1, 3)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, {"hr", "wiki", "files"}),
        ({"q": "SHARE"}, {"hr"}),
        ({"q": "  intranet   failed "}, {"wiki"}),
        ({"q": "token expired"}, {"wiki"}),
        ({"q": "team=x"}, set()),
        ({"q": "legal"}, {"files"}),
        ({"q": "SYNCING"}, {"hr"}),
        ({"state": "problem"}, {"wiki"}),
        ({"state": "syncing"}, {"hr"}),
        ({"state": "ok", "application": "intranet"}, {"hr"}),
        ({"application": "Intranet"}, set()),
        ({"type": "S3"}, {"files"}),
        ({"data_source_id": "src0002".ljust(36, "0")}, {"wiki"}),
        ({"data_source_id": "src0002"}, set()),
        ({"utm": "x"}, {"hr", "wiki", "files"}),
    ],
)
def test_filters_are_combined(query: dict[str, str], names: set[str]) -> None:
    """Words match parts of texts in any case; applications, types and ids match exactly."""
    fine = ended_job("SUCCEEDED", HOUR, scanned=9)
    failed = structs.replace(ended_job("FAILED", HOUR), error_message="the token has expired")
    files = make_snapshot(3, "files", fine, type="S3")
    files = replace(
        files,
        source=replace(files.source, labels=(("team", "legal"),)),
        names=replace(files.names, root="support"),
    )
    fixture = StatusFixture.of(
        [
            make_snapshot(1, "hr", fine, running_job(60), schedule=DAILY),
            make_snapshot(2, "wiki", failed, type="CONFLUENCEV2"),
            files,
        ]
    )
    document = fixture.status.document(Query.parse(query, 10))
    assert {each["data_source"] for each in document["data_sources"]} == names
    assert document["matching"] == len(names)
    assert document["summary"]["data_sources"] == 3
    assert fixture.status.choices() == {
        "service": ["qbusiness"],
        "application": ["intranet", "support"],
        "type": ["CONFLUENCEV2", "S3", "SHAREPOINTV2"],
    }


def test_pages_contain_each_source_once() -> None:
    """The pages together are the complete list in order, and a page after the last one is empty."""
    fixture = StatusFixture.of(make_snapshot(number, f"s{number:02}") for number in range(23))
    documents = [fixture.status.document(Query(page=page, page_size=10)) for page in (1, 2, 3, 4)]
    assert [document["pages"] for document in documents] == [3, 3, 3, 3]
    names = [each["data_source"] for document in documents for each in document["data_sources"]]
    assert names == [f"s{number:02}" for number in range(23)]
    assert [len(document["data_sources"]) for document in documents] == [10, 10, 3, 0]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"state": "bad"}, "state=bad must be one of problem, critical,"),
        ({"service": "Kendra"}, "service=Kendra must be one of qbusiness, "),
        ({"page": "0"}, "page=0 must be a whole number from 1 to 1000000"),
        ({"page": "x"}, "page=x must be"),
        ({"page": "9" * 5000}, "must be a whole number"),
        ({"page_size": "1001"}, "page_size=1001 must be a whole number from 1 to 1000"),
    ],
)
def test_an_invalid_query_is_rejected(query: dict[str, str], message: str) -> None:
    """The message states the valid values."""
    with pytest.raises(QueryError, match=re.escape(message)):
        Query.parse(query, 10)


def test_a_source_is_assessed_again_when_its_snapshot_is_replaced() -> None:
    """A removed source is no longer in the document or in the choices."""
    snapshot = make_snapshot(1, "hr", ended_job("SUCCEEDED", HOUR, scanned=9))
    fixture = StatusFixture.of([snapshot])
    assert source_in(fixture, "hr")["problems"] == []
    fixture.publish(make_snapshot(1, "hr", ended_job("FAILED", HOUR)))
    assert [problem["alert"] for problem in source_in(fixture, "hr")["problems"]] == ["QBusinessSyncFailed"]
    fixture.remove(snapshot)
    assert fixture.status.document(Query())["data_sources"] == []
    assert fixture.status.choices() == {"service": [], "type": []}


def test_a_refresh_of_the_cache_releases_replaced_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next document has the same content, and assesses nothing again."""
    fixture = StatusFixture.of([make_snapshot(1, "hr", ended_job("SUCCEEDED", HOUR, scanned=9))])
    before = fixture.status.document(Query())
    ((replaced, _),) = fixture.sources.snapshots()
    fixture.publish(make_snapshot(1, "hr", ended_job("SUCCEEDED", HOUR, scanned=9)))
    gc.collect()
    holders = len(gc.get_referrers(replaced))
    fixture.status.refresh_cache()
    assert len(gc.get_referrers(replaced)) < holders
    monkeypatch.delattr("exporter.status.document.assess")
    assert fixture.status.document(Query()) == before


def test_problems_of_the_exporter_have_the_names_of_the_alerts() -> None:
    """The most severe is first, and the texts name the target and its error."""
    fixture = StatusFixture.of()
    target = replace(
        TARGET,
        is_up=False,
        last_error="ListApplications: AccessDeniedException",
        lag=301.0,
        discovery_succeeded=False,
        data_sources=5,
        polled=0,
        events_up=False,
        events_error="ReceiveMessage: AccessDenied",
    )
    fixture.health = replace(
        HEALTH,
        targets=(target,),
        state_is_written=False,
        config_is_current=False,
        unreadable_targets={"europe": "ValueError: no JSON"},
    )
    document = fixture.status.document(Query())
    problems = document["exporter"]["problems"]
    assert [(problem["alert"], problem["severity"]) for problem in problems] == [
        ("QBusinessTargetDown", "critical"),
        ("QBusinessTargetNotPolled", "critical"),
        ("QBusinessPollsLate", "warning"),
        ("QBusinessDiscoveryFailing", "warning"),
        ("QBusinessEventsDown", "warning"),
        ("QBusinessStateNotWritten", "warning"),
        ("QBusinessConfigReloadFailed", "warning"),
    ]
    assert {problem["alert"]: problem["severity"] for problem in problems}.items() <= shipped_alerts().items()
    assert "production" in problems[0]["text"]
    assert "AccessDeniedException" in problems[0]["text"]
    assert problems[1]["text"] == (
        "Target europe is not polled: its state in state.db cannot be read (ValueError: no JSON)."
    )
    assert document["summary"]["unsettled"] == 5
    empty = replace(TARGET, is_up=True, discovery_succeeded=True, data_sources=0)
    fixture.health = replace(HEALTH, targets=(empty,))
    (problem,) = fixture.status.document(Query())["exporter"]["problems"]
    assert (problem["alert"], problem["severity"]) == ("QBusinessNoDataSources", "warning")
    assert {problem["alert"]: problem["severity"]}.items() <= shipped_alerts().items()
    fixture.health = replace(HEALTH, targets=(replace(target, stalled="polling has stalled"),))
    assert {"alert": None, "severity": "critical"}.items() <= fixture.status.document(Query())["exporter"]["problems"][
        1
    ].items()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.04, "0 s"),
        (0.4, "0.4 s"),
        (1, "1 s"),
        (59.6, "1 min"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h"),
        (5400, "1 h 30 min"),
        (86399, "23 h 59 min"),
        (86400, "1 d"),
        (90000, "1 d 1 h"),
        (1e6, "11 d 13 h"),
    ],
)
def test_durations_have_at_most_two_units(seconds: float, text: str) -> None:
    """Smaller units are left out."""
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("ratio", "text"), [(0, "0 %"), (0.004, "0.4 %"), (0.05, "5 %"), (0.555, "56 %"), (0.995, "99.5 %"), (1, "100 %")]
)
def test_percentages_are_not_rounded_to_none_or_all(ratio: float, text: str) -> None:
    """One failed document in a thousand is 0.1 %."""
    assert percentage(ratio) == text
