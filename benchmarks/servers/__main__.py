"""Compares HTTP servers by the exporter's requirements: `python -m benchmarks.servers [PART ...]`.

Without parts it runs all of them, which takes about ten minutes, and writes the results into README.md. Results of
single parts are only printed.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report import environment, write_section
from benchmarks.servers import scrape_cost, shutdown, slow_clients
from benchmarks.servers.certificates import issue
from benchmarks.servers.process import install
from benchmarks.servers.rows import comparison

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.servers.rows import Row

PAGE = Path(__file__).with_name("README.md")
DESCRIPTORS = 8192  # for the clients of three servers at the same time


def main(wanted: list[str]) -> None:
    """Run the parts and print their tables; write the tables into the page if no parts are given."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, hard), hard))
    install()
    results = [environment()]
    with tempfile.TemporaryDirectory() as folder:
        for title, measure in _parts(issue(Path(folder))).items():
            if not wanted or any(word.lower() in title.lower() for word in wanted):
                results.append(f"### {title}\n\n{comparison(measure())}")
                print(results[-1], end="\n\n", flush=True)
    if not wanted:
        write_section("servers", "\n\n".join(results), PAGE)


def _parts(certificates: Path) -> dict[str, Callable[[], Iterator[Row]]]:
    return {
        **{each.title: partial(slow_clients.rows, each, certificates) for each in slow_clients.SCENARIOS},
        "Normal scrapes": partial(scrape_cost.rows, certificates),
        "Time to stop": partial(shutdown.rows, certificates),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
