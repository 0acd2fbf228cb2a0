"""Measures the CPU time of loading a configuration that names many data sources, without and with errors.

`python -m benchmarks.configuration [SIZE ...]`; without sizes, the results are written into benchmarks/README.md.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from benchmarks.cpu import cpu_seconds, reference_seconds
from benchmarks.report import environment, table, write_section
from benchmarks.saved_state import source_id
from exporter import config
from exporter.errors import ConfigError

SIZES = (100, 2_500, 10_000)
REPETITIONS = 3
COLUMNS = ("data sources", "valid", "valid / reference", "an error in each", "an error in each / reference")


def main(sizes: list[int]) -> int:
    """Measure each size, print the table, and write it into the page if no sizes are given."""
    results = f"{environment()}\n\n{table(COLUMNS, [_row(size) for size in sizes or SIZES])}"
    print(results)
    if not sizes:
        write_section("configuration", results)
    return 0


def _row(size: int) -> list[str]:
    reference = reference_seconds()
    costs = (load_seconds(size), load_seconds(size, key="nmae"))
    return [f"{size:,}", *(cell for each in costs for cell in (f"{each:.2f} s", f"{each / reference:.0f}"))]


def load_seconds(size: int, *, key: str = "name") -> float:
    """Return the CPU time of loading a configuration; a wrong `key` is an error in each data source."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(_text(size, key))

        def load() -> None:
            with suppress(ConfigError):
                config.load(path)

        return cpu_seconds(load, REPETITIONS)


def _text(size: int, key: str) -> str:
    sources = (
        f"      - application_id: {application}\n        index_id: {index}\n"
        f"        data_source_id: {data_source}\n        application: intranet\n"
        f"        {key}: share-{number}\n        labels: {{team: hr}}\n"
        for number, (application, index, data_source) in enumerate(source_id(number).path for number in range(size))
    )
    return f"targets:\n  - region: us-east-1\n    data_sources:\n{''.join(sources)}"


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]]))
