"""The facts behind the status page and the JSON: true to the metrics, to the alerts, and to what AWS said."""

from __future__ import annotations

import gc
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from exporter.domain.model import DOCUMENT_KINDS
from exporter.exposition import Exposition, ExpositionCache
from exporter.metrics import IndexFamilies, SourceFamilies
from exporter.status import Query, QueryError, format_duration
from exporter.status.document import MAX_IDLE_CALLS
from exporter.status.formatting import percentage
from exporter.status.problems import NOT_ASSESSED, RULES
from tests.support.builders import HOUR, NOON, make_job, scrape
from tests.support.status_fixtures import DAILY, DAY, HEALTH, TARGET, Exhibit, begun, ended, index, shown, stories

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.snapshots import IndexSnapshot, SourceSnapshot

DEPLOYED = Path(__file__).parents[2] / "deploy/prometheus/rules"


def facts_of(exhibit: Exhibit, name: str) -> dict[str, Any]:
    """Give what is said of one source."""
    return next(each for each in exhibit.overview.document(Query())["data_sources"] if each["data_source"] == name)


def alerts() -> dict[str, str]:
    """Give the alerts that are shipped, with their severities."""
    groups = [group for path in DEPLOYED.glob("*.yaml") for group in yaml.safe_load(path.read_text())["groups"]]
    rules = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    return {rule["alert"]: rule["labels"]["severity"] for rule in rules}


def series_of(exhibit: Exhibit) -> Iterator[dict[str, str]]:
    """Give every series of the metrics page of the same things, as promtool wants constant ones."""
    sources: ExpositionCache[SourceSnapshot] = ExpositionCache(SourceFamilies(DAY), exhibit.clock)
    indexes: ExpositionCache[IndexSnapshot] = ExpositionCache(IndexFamilies(), exhibit.clock)
    for source, clock in exhibit.sources.snapshots():
        sources.put(str(source.source.id), source, clock)
    for each, clock in exhibit.indexes.snapshots():
        indexes.put(str(each.id), each, clock)
    page = Exposition((sources, indexes), CollectorRegistry())
    for family in text_string_to_metric_families(scrape(page)[0].decode()):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            yield {"series": f"{sample.name}{{{labels}}}", "values": f"{sample.value!r}x90"}


def test_problems_are_what_the_shipped_alerts_fire_on(tmp_path: Path) -> None:
    """A real promtool runs the rules over the metrics of the same data sources, and comes to the same."""
    indexes = [index(1, "full", documents=19_000), index(2, "fuller", text_bytes=199_000_000), index(3, "empty")]
    indexes.append(index(4, "gone", status="DELETING", units=None))
    exhibit = Exhibit.of(stories(), indexes)
    document = exhibit.overview.document(Query())
    expected = [
        {
            "labels": f'{{alertname="{problem["alert"]}",{kind}="{each[kind]}",severity="{problem["severity"]}"}}',
            "value": 1,
        }
        for kind, name in (("data_source", "data_sources"), ("index", "indexes"))
        for each in document[name]
        for problem in each["problems"]
    ]
    test: dict[str, Any] = {
        "rule_files": [str(path) for path in sorted(DEPLOYED.glob("*.yaml"))],
        "evaluation_interval": "1m",
        "group_eval_order": ["qbusiness-recording", "qbusiness-syncs", "qbusiness-documents", "qbusiness-resources"],
        "tests": [
            {
                "interval": "1m",
                "input_series": list(series_of(exhibit)),
                "promql_expr_test": [
                    {
                        "expr": f'max by (alertname, {kind}, severity) (ALERTS{{alertstate="firing",{kind}!=""}})',
                        "eval_time": "85m",
                        "exp_samples": [sample for sample in expected if f",{kind}=" in str(sample["labels"])],
                    }
                    for kind in ("data_source", "index")
                ],
            }
        ],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(test))
    ran = subprocess.run(
        ["promtool", "test", "rules", str(tmp_path / "test.yaml")], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = {problem["alert"] for each in document["data_sources"] for problem in each["problems"]}
    assert told == {rule.alert for rule in RULES}


def test_every_alert_about_a_data_source_is_told_or_said_not_to_be() -> None:
    """Each rule has the name and severity of an alert; no alert is forgotten."""
    shipped = alerts()
    assert {rule.alert: rule.severity for rule in RULES}.items() <= shipped.items()
    of_exporter = {name for name in shipped if name in (DEPLOYED / "exporter.yaml").read_text()}
    of_indexes = {name for name in shipped if name.startswith("QBusinessIndex")}
    assert shipped.keys() - of_exporter - of_indexes - NOT_ASSESSED == {rule.alert for rule in RULES} - of_exporter


def test_a_firing_is_waited_for_as_long_as_the_alert_does() -> None:
    """When a whole organisation is due at once, nobody is told that all of it is overdue."""
    at = NOON - NOON % DAY + 2 * HOUR  # the schedule fires
    exhibit = Exhibit.of([shown(1, "hr", ended("SUCCEEDED", NOON - at + DAY, scanned=9), schedule=DAILY)])
    exhibit.clock.wall = at + 60
    exhibit.show(replace(exhibit.sources.snapshots()[0][0], polled_at=at + 59))
    assert facts_of(exhibit, "hr")["problems"] == []
    assert facts_of(exhibit, "hr")["schedule"]["due"] is True
    exhibit.clock.advance(1742)
    assert [problem["alert"] for problem in facts_of(exhibit, "hr")["problems"]] == ["QBusinessSyncOverdue"]


def test_time_alone_makes_what_is_known_stale() -> None:
    """However long nothing is published, the page does not look fresh."""
    exhibit = Exhibit.of([shown(1, "hr", ended("SUCCEEDED", HOUR, scanned=9))])
    assert facts_of(exhibit, "hr")["freshness"] == {
        "last_poll_succeeded": True,
        "polled_at": NOON,
        "age_seconds": 0.0,
        "stale": False,
    }
    exhibit.clock.advance(1801)
    assert facts_of(exhibit, "hr")["freshness"]["stale"] is True
    assert facts_of(exhibit, "hr")["freshness"]["age_seconds"] == 1801
    assert exhibit.overview.document(Query())["summary"]["stale"] == 1


def test_what_aws_did_not_say_is_null_and_never_zero() -> None:
    """So for each figure of a run, and for a source of which nothing is known yet."""
    exhibit = Exhibit.of(stories())
    run = facts_of(exhibit, "not-said")["last_completed"]
    assert run["documents"] == {**dict.fromkeys(DOCUMENT_KINDS), "added": 0}
    assert facts_of(exhibit, "end-not-said")["last_completed"]["ended_at"] is None
    assert facts_of(exhibit, "end-not-said")["last_completed"]["duration_seconds"] is None
    waiting = facts_of(exhibit, "waiting")
    assert waiting["state"] == "waiting"
    for name in ("latest", "last_completed", "last_error", "running", "consecutive_failures", "last_succeeded_at"):
        assert waiting[name] is None
    bare = Exhibit.of([replace(shown(1, "bare"), description=None, location=None, index="")])
    said = facts_of(bare, "bare")
    assert [said[name] for name in ("type", "status", "schedule", "created_at", "aws_region", "index")] == [None] * 6
    (unknown,) = Exhibit.of((), [index(documents=None, units=None)]).overview.document(Query())["indexes"]
    assert unknown["documents"] == {"used": None, "limit": None, "ratio": None}
    assert unknown["text_bytes"] == {"used": 10**6, "limit": None, "ratio": None}


def test_an_end_time_on_a_job_in_progress_is_not_shown_as_its_end() -> None:
    """Jobs have been seen indexing with an endTime that moved later."""
    moving = make_job("a", "SYNCING_INDEXING", NOON - 900, 600)
    (run,) = facts_of(Exhibit.of([shown(1, "hr", moving)]), "hr")["runs"]
    assert (run["ended"], run["ended_at"], run["duration_seconds"]) == (False, None, None)


def test_the_last_error_is_told_in_full_and_whether_it_still_holds() -> None:
    """A success since does not hide it, but tells that it is of an earlier run."""
    text = "SPE-5122 expired\n" + "x" * 2031
    failed = replace(ended("FAILED", HOUR), error_code="InvalidRequest", error_message=text, connector_error="SPE-5122")
    exhibit = Exhibit.of([shown(1, "now", failed), shown(2, "then", failed, ended("SUCCEEDED", 60, scanned=1))])
    now, then = (facts_of(exhibit, name)["last_error"] for name in ("now", "then"))
    assert now == {
        "execution_id": failed.execution_id,
        "started_at": failed.started,
        "current": True,
        "code": "InvalidRequest",
        "connector_code": "SPE-5122",
        "message": text,
    }
    assert then == {**now, "current": False}
    assert facts_of(exhibit, "now")["problems"][0]["text"] == "The last sync failed: InvalidRequest SPE-5122."


def test_problems_come_first_and_the_rest_by_name() -> None:
    """The worst on top, what is syncing before what is quiet."""
    fine, worst = ended("SUCCEEDED", HOUR, scanned=9), [ended("FAILED", n * HOUR, n) for n in (1, 2, 3)]
    exhibit = Exhibit.of(
        [
            shown(1, "b", fine),
            shown(2, "a", fine),
            shown(3, "c", fine, begun(60)),
            shown(4, "d", worst[0]),
            shown(5, "e", *worst),
            shown(6, "f", fine, schedule="whenever"),
        ]
    )
    document = exhibit.overview.document(Query())
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
def test_filters_narrow_by_all_that_is_given(query: dict[str, str], names: set[str]) -> None:
    """Words anywhere, in any case; choices as they are spelled; ids whole."""
    fine = ended("SUCCEEDED", HOUR, scanned=9)
    failed = replace(ended("FAILED", HOUR), error_message="the token has expired")
    files = shown(3, "files", fine, type="S3")
    files = replace(
        files,
        source=replace(files.source, labels=(("team", "legal"),)),
        names=replace(files.names, application="support"),
    )
    exhibit = Exhibit.of([shown(1, "hr", fine, begun(60)), shown(2, "wiki", failed, type="CONFLUENCEV2"), files])
    document = exhibit.overview.document(Query.parse(query, 10))
    assert {each["data_source"] for each in document["data_sources"]} == names
    assert document["matching"] == len(names)
    assert document["summary"]["data_sources"] == 3
    assert exhibit.overview.choices() == {
        "application": ["intranet", "support"],
        "type": ["CONFLUENCEV2", "S3", "SHAREPOINTV2"],
    }


def test_pages_cover_everything_once() -> None:
    """The pages put together are the whole, in order; beyond them there is nothing."""
    exhibit = Exhibit.of(shown(number, f"s{number:02}") for number in range(23))
    documents = [exhibit.overview.document(Query(page=page, page_size=10)) for page in (1, 2, 3, 4)]
    assert [document["pages"] for document in documents] == [3, 3, 3, 3]
    names = [each["data_source"] for document in documents for each in document["data_sources"]]
    assert names == [f"s{number:02}" for number in range(23)]
    assert [len(document["data_sources"]) for document in documents] == [10, 10, 3, 0]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"state": "bad"}, "state=bad must be one of problem, critical,"),
        ({"page": "0"}, "page=0 must be a whole number from 1 to 1000000"),
        ({"page": "x"}, "page=x must be"),
        ({"page": "9" * 5000}, "must be a whole number"),
        ({"page_size": "1001"}, "page_size=1001 must be a whole number from 1 to 1000"),
    ],
)
def test_a_query_that_means_nothing_is_refused(query: dict[str, str], message: str) -> None:
    """It says what would be right."""
    with pytest.raises(QueryError, match=re.escape(message)):
        Query.parse(query, 10)


def test_a_source_is_judged_anew_only_when_something_has_changed() -> None:
    """What is withdrawn is forgotten, and what is published again is looked at again."""
    snapshot = shown(1, "hr", ended("SUCCEEDED", HOUR, scanned=9))
    exhibit = Exhibit.of([snapshot])
    assert facts_of(exhibit, "hr")["problems"] == []
    exhibit.show(shown(1, "hr", ended("FAILED", HOUR)))
    assert [problem["alert"] for problem in facts_of(exhibit, "hr")["problems"]] == ["QBusinessSyncFailed"]
    exhibit.withdraw(snapshot)
    assert exhibit.overview.document(Query())["data_sources"] == []
    assert exhibit.overview.choices() == {"application": [], "type": []}


def test_what_nobody_asks_for_is_not_kept_in_memory() -> None:
    """Snapshots that were replaced since go, and the next to ask is told the same."""
    exhibit = Exhibit.of([shown(1, "hr", ended("SUCCEEDED", HOUR, scanned=9))])
    before = exhibit.overview.document(Query())
    (history,) = (snapshot.history for snapshot, _ in exhibit.sources.snapshots())
    exhibit.show(shown(1, "hr", ended("SUCCEEDED", HOUR, scanned=9)))
    gc.collect()
    holders = len(gc.get_referrers(history))
    for _ in range(MAX_IDLE_CALLS + 1):
        exhibit.overview.expire_cache()
    assert len(gc.get_referrers(history)) < holders
    assert exhibit.overview.document(Query()) == before


def test_the_exporters_own_troubles_are_told_by_the_alerts_that_fire_on_them() -> None:
    """Each names what it is about, and the worst comes first."""
    exhibit = Exhibit.of()
    target = replace(
        TARGET,
        is_up=False,
        trouble="ListApplications: AccessDeniedException",
        lag=301.0,
        discovery_succeeded=False,
        data_sources=5,
    )
    exhibit.health = replace(HEALTH, targets=(target,), state_is_written=False, config_is_current=False)
    document = exhibit.overview.document(Query())
    problems = document["exporter"]["problems"]
    assert [(problem["alert"], problem["severity"]) for problem in problems] == [
        ("QBusinessTargetDown", "critical"),
        ("QBusinessPollsLate", "warning"),
        ("QBusinessDiscoveryFailing", "warning"),
        ("QBusinessStateNotWritten", "warning"),
        ("QBusinessConfigReloadFailed", "warning"),
    ]
    assert {problem["alert"]: problem["severity"] for problem in problems}.items() <= alerts().items()
    assert "production" in problems[0]["text"]
    assert "AccessDeniedException" in problems[0]["text"]
    assert document["summary"]["unsettled"] == 5
    exhibit.health = replace(HEALTH, targets=(replace(target, stalled="polling has stalled"),))
    assert {"alert": None, "severity": "critical"}.items() <= exhibit.overview.document(Query())["exporter"][
        "problems"
    ][1].items()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
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
def test_spans_are_said_in_two_units_at_most(seconds: float, said: str) -> None:
    """Good to what matters at that length."""
    assert format_duration(seconds) == said


@pytest.mark.parametrize(
    ("ratio", "said"), [(0, "0 %"), (0.004, "0.4 %"), (0.05, "5 %"), (0.555, "56 %"), (0.995, "99.5 %"), (1, "100 %")]
)
def test_shares_never_look_like_all_or_nothing_when_they_are_not(ratio: float, said: str) -> None:
    """A failed document in a thousand is not none."""
    assert percentage(ratio) == said
