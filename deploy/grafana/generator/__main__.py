"""Writes the dashboards; with --check it only reports which files are out of date."""

from __future__ import annotations

import sys
from pathlib import Path

from deploy.grafana.generator import data_source, exporter, index_capacity, overview
from deploy.grafana.generator.base import to_json
from deploy.grafana.generator.links import CAPACITY, DATA_SOURCE, OVERVIEW, DashboardSet
from deploy.grafana.generator.queries import ServiceQueries
from exporter.providers.registry import DEFAULT_SERVICE, SERVICES

FOLDER = Path(__file__).parents[1] / "dashboards"
KINDS = {OVERVIEW: overview.dashboard, DATA_SOURCE: data_source.dashboard, CAPACITY: index_capacity.dashboard}


def files() -> dict[Path, str]:
    """Return the text of every dashboard file by path: the set of each service, and the dashboard of the exporter."""
    boards = {"exporter.json": exporter.dashboard()}
    for service in SERVICES.values():
        prefix = "" if service is DEFAULT_SERVICE else f"{service.name}-"
        for kind in DashboardSet(service).kinds:
            boards[f"{prefix}{kind}.json"] = KINDS[kind](ServiceQueries(service))
    return {FOLDER / name: to_json(board) for name, board in boards.items()}


def main(arguments: list[str]) -> int:
    """Write the files, or report which ones are out of date."""
    stale = {path: text for path, text in files().items() if not path.exists() or path.read_text() != text}
    for path, text in stale.items():
        if "--check" in arguments:
            print(f"{path.name} is out of date: run make generate")
        else:
            path.write_text(text)
            print(f"wrote {path.name}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
