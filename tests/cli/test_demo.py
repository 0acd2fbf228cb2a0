"""The demo, as a newcomer starts it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.support.builders import HOUR
from tests.support.harness import Program, eventually

if TYPE_CHECKING:
    from pathlib import Path


def test_the_demo_shows_living_metrics(tmp_path: Path) -> None:
    """Without an account, a file or a network; and each of its sources has the story that the welcome promises."""
    with Program(["demo"], {"HOME": str(tmp_path), "AWS_PROFILE": "nobody"}) as program:
        program.until_ready()
        scrape = program.scrape()
        assert scrape.value("qbusiness_exporter_data_sources") == 12
        assert scrape.value("qbusiness_poll_success") == 12
        assert scrape.value("qbusiness_last_completed_sync_status", status="INCOMPLETE", data_source="policies-s3") == 1
        assert (scrape.value("qbusiness_consecutive_failed_syncs", data_source="engineering-confluence") or 0) >= 10
        assert scrape.value("qbusiness_last_completed_sync_documents_scanned", data_source="faq-s3") == 0
        assert scrape.value("qbusiness_last_completed_sync_documents_scanned", data_source="tickets-custom") is None
        assert scrape.value("qbusiness_last_completed_sync_status", data_source="legal-onedrive") is None
        started = scrape.value("qbusiness_running_sync_start_timestamp_seconds", data_source="archive-s3") or 0
        polled = scrape.value("qbusiness_last_successful_poll_timestamp_seconds", data_source="archive-s3") or 0
        assert 29 * HOUR < polled - started < 31 * HOUR
        eventually(lambda: (program.scrape().value("qbusiness_sync_jobs_completed_total") or 0) > 0, 60)
        # The failure counter's children beyond the API's four codes are born when they are first needed.
        eventually(
            lambda: program.scrape().value("qbusiness_sync_job_failures_total", connector_error_code="CNF-5572"), 60
        )
        welcome = "".join(program.output)
        assert f"http://localhost:{program.address[1]}/metrics" in welcome
        openmetrics = program.get("/metrics", Accept="application/openmetrics-text")[1]
        names = {family.name for family in text_string_to_metric_families(openmetrics)}
        assert names >= {"qbusiness_sync_jobs", "qbusiness_exporter_polls", "process_cpu_seconds"}
        checked = subprocess.run(
            ["promtool", "check", "metrics"],
            input=program.get("/metrics")[1],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
        assert program.stop() == 0
