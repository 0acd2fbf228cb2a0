"""Counts of documents by the whole exporter, against the simulated service over HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from exporter.simulator.document import SimulatedDocument
from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import config_for, eventually, fleet_of
from tests.support.request_log import logged_requests
from tests.support.running_exporter import RunningExporter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCUMENTS = "qbusiness_data_source_documents"
COUNTED_AT = "qbusiness_data_source_documents_counted_timestamp_seconds"
FAILED_IDS = [f"s3://bucket/<b>{n}</b>" for n in range(13)]


@pytest.fixture
def service() -> Iterator[SimulatedEndpoint]:
    """Serve two data sources: one with 250 documents, 13 of them failed, and one without documents."""
    good = [SimulatedDocument(f"d{n}") for n in range(237)]
    bad = [SimulatedDocument(each, "FAILED", "InvalidRequest", "<i>too large</i>") for each in FAILED_IDS]
    sources = (SimulatedDataSource("hr", documents=[*good, *bad]), SimulatedDataSource("it"))
    with SimulatedEndpoint(fleet_of(*sources)) as service:
        yield service


def config(service: SimulatedEndpoint, state: Path, interval: str = "500ms") -> dict[str, Any]:
    """Return a configuration with counts of documents."""
    return {**config_for(service, state), "documents": {"interval": interval}}


def counted(exporter: RunningExporter, name: str, status: str) -> float | None:
    """Return the documents of a status."""
    return exporter.scrape().value(DOCUMENTS, data_source=name, status=status)


def source_json(exporter: RunningExporter, name: str) -> dict[str, Any]:
    """Return a data source of the JSON API."""
    sources = json.loads(exporter.request("GET", "/api/v1/data-sources")[1])["data_sources"]
    return next(source for source in sources if source["data_source"] == name)


def target_json(exporter: RunningExporter) -> dict[str, Any]:
    """Return the target in the JSON API."""
    target: dict[str, Any] = json.loads(exporter.request("GET", "/api/v1/data-sources")[1])["exporter"]["targets"][0]
    return target


def test_documents_are_counted_by_status_at_each_interval(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """A change in AWS is in the next count. Neither ids nor errors of documents are in the metrics."""
    hr, _ = service.fleet.applications[0].indexes[0].data_sources
    with RunningExporter(config(service, tmp_path / "state.db")) as exporter:
        eventually(lambda: counted(exporter, "it", "FAILED") == 0)
        eventually(lambda: counted(exporter, "hr", "FAILED") == 13)
        assert counted(exporter, "hr", "INDEXED") == 237
        body = exporter.request("GET", "/metrics")[1]
        assert "s3://" not in body
        assert "too large" not in body
        hr.documents = hr.documents[:237]
        eventually(lambda: counted(exporter, "hr", "FAILED") == 0)


def test_the_page_and_the_json_have_the_first_failed_documents(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """Their ids and errors are escaped. The page says how many more there are."""
    with RunningExporter(config(service, tmp_path / "state.db")) as exporter:
        eventually(lambda: counted(exporter, "hr", "FAILED") == 13)
        documents = source_json(exporter, "hr")["documents"]
        assert (documents["failed"], documents["by_status"]["INDEXED"]) == (13, 237)
        assert [each["document_id"] for each in documents["first_failed"]] == FAILED_IDS[:10]
        assert documents["first_failed"][0]["error_message"] == "<i>too large</i>"
        page = exporter.request("GET", "/")[1]
        assert "s3://bucket/&lt;b&gt;9&lt;/b&gt;" in page
        assert "&lt;i&gt;too large&lt;/i&gt;" in page
        assert "s3://bucket/&lt;b&gt;10" not in page
        assert "and 3 more" in page


def test_the_last_count_survives_a_restart_and_failures(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """It is in the first scrape. If ListDocuments fails, polls succeed and the target stays up."""
    configuration = config(service, tmp_path / "state.db")
    with RunningExporter(configuration) as exporter:
        eventually(lambda: counted(exporter, "hr", "FAILED") == 13)
    service.faults.add("denied", operation="ListDocuments")
    with RunningExporter(configuration) as exporter:
        first = exporter.scrape()
        assert first.value(DOCUMENTS, data_source="hr", status="FAILED") == 13
        denied = {"operation": "ListDocuments", "code": "AccessDeniedException"}
        eventually(lambda: exporter.scrape().value("qbusiness_exporter_api_requests_total", **denied))
        exporter.until_ready()
        scrape = exporter.scrape()
        assert scrape.value(COUNTED_AT, data_source="hr") == first.value(COUNTED_AT, data_source="hr")
        assert scrape.value("qbusiness_poll_success", data_source="hr") == 1
        assert scrape.value("qbusiness_exporter_target_up") == 1
        eventually(lambda: target_json(exporter)["uncounted_count"] == 2)
        uncounted = target_json(exporter)["uncounted"][0]
        assert uncounted["resource"].startswith("the documents of data source hr ")
        assert (uncounted["operation"], uncounted["code"]) == ("ListDocuments", "AccessDeniedException")
        assert "could not read the documents of data source hr" in exporter.request("GET", "/")[1]


def test_counts_vanish_with_their_source_and_with_the_setting(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """A source that the configuration drops and names again has no count until the next one is complete."""
    both = config(service, tmp_path / "state.db", "1h")
    _, it = both["targets"][0]["data_sources"]

    def named(*sources: Any) -> dict[str, Any]:
        return {**both, "targets": [{**both["targets"][0], "data_sources": list(sources)}]}

    with RunningExporter(both) as exporter:
        eventually(lambda: counted(exporter, "hr", "FAILED") == 13)
        eventually(lambda: counted(exporter, "it", "FAILED") == 0)
        exporter.reload(named(it))
        assert counted(exporter, "hr", "FAILED") is None
        assert counted(exporter, "it", "FAILED") == 0
        service.faults.add("denied", operation="ListDocuments")
        exporter.reload(both)
        eventually(lambda: exporter.scrape().value("qbusiness_poll_success", data_source="hr") == 1)
        assert counted(exporter, "hr", "FAILED") is None
        exporter.reload({**both, "documents": {"interval": "0s"}})
        assert exporter.scrape().value(DOCUMENTS) is None
        assert source_json(exporter, "it")["documents"] is None


def test_documents_are_not_listed_by_default(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """Each count takes a request for each hundred documents."""
    with RunningExporter(config_for(service, tmp_path / "state.db")) as exporter:
        exporter.until_ready()
        eventually(lambda: len(logged_requests(service, "ListDataSourceSyncJobs")) > 20)
        assert logged_requests(service, "ListDocuments") == []
        assert exporter.scrape().value(DOCUMENTS) is None
