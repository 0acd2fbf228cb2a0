"""`metrics.exclude` in the whole program, and its reload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import config_for, fleet_of
from tests.support.running_exporter import RunningExporter

if TYPE_CHECKING:
    from pathlib import Path

EXCLUDE = ["qbusiness_documents_*_total", "qbusiness_index_*", "qbusiness_exporter_polls_total"]
EXCLUDED = ("qbusiness_documents_added_total", "qbusiness_index_status", "qbusiness_exporter_polls_total")
OTHERS = ("qbusiness_sync_running", "qbusiness_exporter_target_up")


def exposed(exporter: RunningExporter, names: tuple[str, ...]) -> list[bool]:
    """Return whether each family has a header in a scrape."""
    body = exporter.request("GET", "/metrics")[1]
    return [f"# TYPE {name} " in body for name in names]


def test_a_reload_excludes_and_includes_families(tmp_path: Path) -> None:
    """Families of data sources, of indexes and of the exporter itself vanish with their headers, and return."""
    with SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"))) as service:
        config: dict[str, Any] = config_for(service, tmp_path / "state.db")
        with RunningExporter({**config, "metrics": {"exclude": EXCLUDE}}) as exporter:
            exporter.until_ready()
            assert (exposed(exporter, EXCLUDED), exposed(exporter, OTHERS)) == ([False] * 3, [True] * 2)
            exporter.reload(config)
            assert (exposed(exporter, EXCLUDED), exposed(exporter, OTHERS)) == ([True] * 3, [True] * 2)
            exporter.reload({**config, "metrics": {"exclude": EXCLUDE}})
            assert (exposed(exporter, EXCLUDED), exposed(exporter, OTHERS)) == ([False] * 3, [True] * 2)
