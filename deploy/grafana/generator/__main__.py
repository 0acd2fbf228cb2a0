"""Writes the dashboards; with --check it only reports which files are out of date."""

from __future__ import annotations

import sys
from pathlib import Path

from deploy.grafana.generator import data_source, exporter, index_capacity, overview
from deploy.grafana.generator.base import to_json

FOLDER = Path(__file__).parents[1] / "dashboards"
DASHBOARDS = {
    "overview.json": overview.dashboard,
    "data-source.json": data_source.dashboard,
    "index-capacity.json": index_capacity.dashboard,
    "exporter.json": exporter.dashboard,
}


def files() -> dict[Path, str]:
    """Return the text of every dashboard file by path."""
    return {FOLDER / name: to_json(build()) for name, build in DASHBOARDS.items()}


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
