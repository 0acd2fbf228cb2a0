"""Addresses in the AWS console: the host of each partition, and encodings that the console reads."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from msgspec import structs

from exporter.domain.model import Location
from exporter.domain.units import HOUR
from exporter.status.console import console_links
from exporter.status.query import Query
from tests.support.builders import NOON, make_job, make_source
from tests.support.status_fixtures import StatusFixture, ended_job, make_snapshot, running_job

SOURCE = make_source(7).id
APPLICATION, INDEX, DATA_SOURCE = SOURCE.path
FAILED = ended_job("FAILED", 2 * HOUR, lasted=600)
STREAM = f"SYNC_RUN_HISTORY_REPORT/{DATA_SOURCE}/{FAILED.execution_id}"


def links_of(*jobs: Any, region: str = "us-east-1") -> Any:
    """Return the addresses of a data source in a region."""
    return console_links(region, SOURCE, jobs, NOON)


def query_of(address: str) -> dict[str, str]:
    """Return the parts of the query that Logs Insights reads from the fragment of an address."""
    view, _, detail = urlsplit(address).fragment.replace("$", "%").partition("%3FqueryDetail%3D")
    assert view == "logsV2:logs-insights"
    parts = re.findall(r"(\w+)~\(?~?'([^~)]*)", detail)
    return {name: unquote(value.replace("*", "%")) for name, value in parts}


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "us-east-1.console.aws.amazon.com"),
        ("ap-southeast-2", "ap-southeast-2.console.aws.amazon.com"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
        ("cn-northwest-1", "cn-northwest-1.console.amazonaws.cn"),
    ],
)
def test_each_partition_has_its_host(region: str, host: str) -> None:
    """All addresses have the host of the region, and select the region."""
    links = links_of(FAILED, region=region)
    (logs,) = links["runs"].values()
    for address in (links["application"], links["data_source"], *logs.values()):
        assert urlsplit(address).netloc == host
        assert urlsplit(address).query == f"region={region}"


@pytest.mark.parametrize("region", ["us-iso-east-1", "eusc-de-east-1", "", "evil.com/", "us-east-1.evil.com", "local"])
def test_other_regions_have_no_addresses(region: str) -> None:
    """The consoles of isolated partitions are not public, and no text becomes a host."""
    assert links_of(FAILED, region=region) is None


def test_application_and_data_source_have_their_pages() -> None:
    """The paths have all ids."""
    links = links_of()
    path = f"/amazonq/business/applications/{APPLICATION}"
    assert urlsplit(links["application"]).path == f"{path}/details"
    assert urlsplit(links["data_source"]).path == f"{path}/indices/{INDEX}/datasources/{DATA_SOURCE}/details"
    assert links["runs"] == {}


def test_the_log_stream_of_a_run_is_quoted_twice() -> None:
    """CloudWatch reads $ as %, and unquotes the names of group and stream twice."""
    address = links_of(FAILED)["runs"][FAILED.execution_id]["log_stream"]
    assert urlsplit(address).path == "/cloudwatch/home"
    view, _, names = urlsplit(address).fragment.partition("/log-group/")
    group, _, stream = names.partition("/log-events/")
    assert view == "logsV2:log-groups"
    assert "/" not in group + stream
    assert [unquote(unquote(name.replace("$", "%"))) for name in (group, stream)] == [
        f"/aws/qbusiness/{APPLICATION}",
        STREAM,
    ]


def test_the_query_selects_the_failed_documents_of_a_run() -> None:
    """It reads the stream of the run in the log group of the application, until an hour after the run."""
    query = query_of(links_of(FAILED)["runs"][FAILED.execution_id]["failed_documents"])
    assert query["source"] == f"/aws/qbusiness/{APPLICATION}"
    assert query["editorString"].splitlines() == [
        "fields @timestamp, DocumentId, DocumentTitle, CrawlAction, ErrorCode, ErrorMsg",
        f'| filter @logStream like "{STREAM}" and ConnectorDocumentStatus.Status = "FAILED"',
        "| sort @timestamp desc",
    ]
    assert (query["timeType"], query["tz"]) == ("ABSOLUTE", "UTC")
    assert (query["start"], query["end"]) == ("2026-09-21T12:03:20.000Z", "2026-09-21T13:13:20.000Z")


def test_the_query_of_a_run_in_progress_ends_now() -> None:
    """The end of the run is not known yet, even if AWS reports one."""
    running = structs.replace(running_job(HOUR, "SYNCING_INDEXING"), ended=NOON - HOUR / 2)
    query = query_of(links_of(running)["runs"][running.execution_id]["failed_documents"])
    assert (query["start"], query["end"]) == ("2026-09-21T13:13:20.000Z", "2026-09-21T14:13:20.000Z")


def test_ids_cannot_leave_their_place() -> None:
    """Special characters, surrogates and the syntax of the query language are quoted."""
    hostile = make_job("~)'\"/$%☃\ud83d#?", "FAILED", NOON - HOUR, 60)
    (logs,) = links_of(hostile)["runs"].values()
    for address in logs.values():
        assert re.fullmatch(r"[\w:/?=#$*~().'-]+", address, re.ASCII)
    assert query_of(logs["failed_documents"]).keys() == {"end", "start", "timeType", "tz", "editorString", "source"}


def test_runs_in_the_document_have_addresses() -> None:
    """In a list, the latest runs have them; for a single data source, all runs."""
    jobs = [running_job(60), *(ended_job("SUCCEEDED", n * HOUR, n, scanned=5) for n in (1, 2, 3))]
    snapshot = make_snapshot(7, "hr", *jobs)
    fixture = StatusFixture.of([snapshot])

    def console(data_source_id: str = "") -> Any:
        (source,) = fixture.status.document(Query(data_source_id=data_source_id))["data_sources"]
        return source["console"]

    assert console()["runs"].keys() == {job.execution_id for job in jobs[:2]}
    assert console(data_source_id=DATA_SOURCE)["runs"].keys() == {job.execution_id for job in jobs}
    for location in (None, Location("", "us-iso-east-1")):
        fixture.publish(replace(snapshot, location=location))
        assert console() is None
