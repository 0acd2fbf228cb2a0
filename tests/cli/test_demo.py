"""`demo` as a process, without an AWS account, a configuration or a network."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.cli.demo import demo_fleets
from exporter.domain.units import HOUR
from exporter.providers.registry import SERVICES
from tests.support.builders import NOON
from tests.support.harness import Program, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.harness import Scrape


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """Run the demo with the environment of a user whose AWS profile and proxy do not exist."""
    home: Path = tmp_path_factory.mktemp("home")
    environment = {
        "HOME": str(home),
        "AWS_PROFILE": "missing",
        "AWS_DEFAULTS_MODE": "missing",
        "REQUESTS_CA_BUNDLE": "missing",
        "http_proxy": "http://127.0.0.1:9",
    }
    with Program(["demo"], environment) as program:
        program.until_ready()
        yield program


@pytest.fixture
def scrape(program: Program) -> Scrape:
    """Return the metrics."""
    return program.scrape()


def test_every_source_is_polled(scrape: Scrape) -> None:
    """The exporter discovers all data sources of the simulation, and polls them successfully."""
    sources = {name: len(list(fleet.data_sources())) for name, fleet in demo_fleets(NOON).items()}
    assert scrape.value("qbusiness_exporter_data_sources") == sum(sources.values()) >= 12
    assert {name: scrape.value(f"{name}_poll_success") for name in sources} == sources
    assert sources.keys() == SERVICES.keys()


def test_the_sources_behave_as_the_welcome_text_states(scrape: Scrape) -> None:
    """Each data source of the welcome text has the state that the text describes."""
    last = "qbusiness_last_completed_sync"
    assert scrape.value(f"{last}_status", status="INCOMPLETE", data_source="policies-s3") == 1
    assert (scrape.value("qbusiness_consecutive_failed_syncs", data_source="engineering-confluence") or 0) >= 10
    assert scrape.value(f"{last}_documents_scanned", data_source="faq-s3") == 0
    started = scrape.value("qbusiness_running_sync_start_timestamp_seconds", data_source="archive-s3") or 0
    polled = scrape.value("qbusiness_last_successful_poll_timestamp_seconds", data_source="archive-s3") or 0
    assert 29 * HOUR < polled - started < 31 * HOUR
    documents = scrape.value("qbusiness_index_documents", index="knowledge") or 0
    assert documents > 0.9 * (scrape.value("qbusiness_index_documents_limit", index="knowledge") or 0)


def test_values_that_aws_does_not_report_have_no_series(scrape: Scrape) -> None:
    """Custom data sources do not report documents, and legal-onedrive has not synced yet."""
    assert scrape.value("qbusiness_last_completed_sync_documents_scanned", data_source="tickets-custom") is None
    assert scrape.value("qbusiness_last_completed_sync_status", data_source="legal-onedrive") is None


def test_documents_are_counted_by_status(program: Program) -> None:
    """The status page has the failed ones with their errors."""

    def failed() -> float | None:
        return program.scrape().value("qbusiness_data_source_documents", data_source="policies-s3", status="FAILED")

    eventually(lambda: failed() == 10)


def test_the_welcome_text_has_the_address(program: Program) -> None:
    """It contains the address that the program listens on."""
    eventually(lambda: f"http://localhost:{program.address[1]}/metrics" in "".join(program.output))


def test_both_formats_are_valid(program: Program) -> None:
    """Promtool accepts the text format, and the reference parser accepts OpenMetrics."""
    openmetrics = program.get("/metrics", Accept="application/openmetrics-text")[1]
    names = {family.name for family in text_string_to_metric_families(openmetrics)}
    assert names >= {"qbusiness_sync_jobs", "qbusiness_exporter_polls", "process_cpu_seconds"}
    text = program.get("/metrics")[1]
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@pytest.mark.trial  # the syncs of the demo take up to a minute of real time
@pytest.mark.timeout(300)
def test_syncs_end_and_are_counted(program: Program) -> None:
    """Within a minute or two, syncs have ended, and one of them failed with CNF-5572."""
    eventually(lambda: (program.scrape().value("qbusiness_sync_jobs_completed_total") or 0) > 0, 120)
    failures = "qbusiness_sync_job_failures_total"
    eventually(lambda: program.scrape().value(failures, connector_error_code="CNF-5572"), 120)


def test_the_demo_stops_on_sigterm(tmp_path: Path) -> None:
    """It exits with 0."""
    with Program(["demo"], {"HOME": str(tmp_path)}) as program:
        assert program.stop() == 0
