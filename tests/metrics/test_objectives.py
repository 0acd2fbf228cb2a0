"""Metrics of objectives: their values, when time changes them, and reloads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from exporter.config import ObjectiveConfig
from exporter.domain.model import Description, Names
from exporter.domain.snapshots import SourceSnapshot
from exporter.domain.units import DAY, HOUR
from exporter.exposition import Exposition, ExpositionCache
from exporter.metrics import SourceFamilies
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.runtime import AwsClock
from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedEndpoint
from tests.app.test_reload import reload
from tests.support.builders import FakeClock, make_source, scrape
from tests.support.harness import config_for, eventually, fleet_of, serve
from tests.support.request_log import logged_requests

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "qbusiness_data_source_objective_"


def test_an_objective_changes_with_the_last_firing_without_a_poll() -> None:
    """The success age disappears when the schedule will not fire again. The others stay."""
    clock = FakeClock(wall=1_798_423_140.0)  # 2026-12-28 01:59 UTC
    description = Description("", "S3", "ACTIVE", schedule="cron(0 2 ? * MON 2025-2026)")
    snapshot = SourceSnapshot(make_source(), Names("intranet", "hr"), None, None, None, "main", description)
    families = SourceFamilies(QBUSINESS, DAY, (ObjectiveConfig.model_validate({"max_failed_ratio": 0.5}),))
    cache: ExpositionCache[SourceSnapshot] = ExpositionCache(families, clock)
    cache.put("hr", snapshot, AwsClock(clock))
    page = Exposition((cache,), CollectorRegistry())

    def objectives() -> dict[str, float]:
        parsed = text_string_to_metric_families(scrape(page)[0].decode())
        samples = (sample for family in parsed for sample in family.samples if family.name.startswith(PREFIX))
        return {sample.name.removeprefix(PREFIX): sample.value for sample in samples}

    others = {"max_duration_seconds": DAY, "max_failed_ratio": 0.5, "min_documents_scanned": 1}
    assert objectives() == {**others, "max_success_age_seconds": 14 * DAY + HOUR}
    clock.advance(61)
    assert objectives() == others


def test_changed_objectives_apply_after_a_reload(tmp_path: Path) -> None:
    """The new values are exposed immediately, without a request to AWS."""
    with SimulatedEndpoint(
        fleet_of(SimulatedDataSource("hr", schedule="cron(0 2 * * ? *)"), SimulatedDataSource("it"))
    ) as service:
        config = config_for(service, tmp_path / "state.db", interval="1h", idle_interval="1h")
        config["targets"][0]["data_sources"][0]["labels"] = {"team": "hr"}
        with serve(tmp_path, config) as program:
            program.until_ready()

            def objective(name: str, source: str) -> float | None:
                return program.scrape().value(PREFIX + name, data_source=source)

            eventually(lambda: objective("max_success_age_seconds", "hr") == 2 * DAY + HOUR)
            assert objective("max_success_age_seconds", "it") is None
            requests = len(logged_requests(service, "ListDataSourceSyncJobs"))
            objectives = [{"match": {"labels": {"team": "hr"}}, "max_success_age": "3h"}, {"min_documents_scanned": 7}]
            reload(program, {**config, "objectives": objectives})
            assert objective("max_success_age_seconds", "hr") == 3 * HOUR
            assert (objective("min_documents_scanned", "hr"), objective("min_documents_scanned", "it")) == (1, 7)
            reload(program, config)
            assert objective("max_success_age_seconds", "hr") == 2 * DAY + HOUR
            assert len(logged_requests(service, "ListDataSourceSyncJobs")) == requests
