"""Compare HTTP servers by what the exporter demands of them: `python -m benchmarks.servers [PART ...]`.

Without parts it runs all of them, which takes about ten minutes, and writes the results into README.md. Parts are only
printed.
"""

from __future__ import annotations

import platform
import resource
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.servers import http1, listening, stalling, stopping, throughput
from benchmarks.servers.certificates import issue
from benchmarks.servers.process import install
from benchmarks.servers.table import table, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.servers.table import Row

DESCRIPTORS = 8192  # clients of three servers at the same time


def main(wanted: list[str]) -> None:
    """Run the parts and print their tables; write them where all were run."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, hard), hard))
    install()
    began, results = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        for title, measure in _parts(issue(Path(folder))).items():
            if not wanted or any(word.lower() in title.lower() for word in wanted):
                results.append(f"### {title}\n\n{table(measure())}")
                print(results[-1], end="\n\n", flush=True)
    minutes = (time.monotonic() - began) / 60
    results.append(
        f"Measured with Python {platform.python_version()} on {platform.system()}, in {minutes:.0f} minutes."
    )
    print(results[-1])
    if not wanted:
        write("\n\n".join(results))


def _parts(certificates: Path) -> dict[str, Callable[[], Iterator[Row]]]:
    return {
        **{each.title: partial(stalling.rows, each, certificates) for each in stalling.SITUATIONS},
        "A normal scrape": partial(throughput.rows, certificates),
        "Stop": partial(stopping.rows, certificates),
        "Addresses and certificates": listening.rows,
        "HTTP/1.1": http1.rows,
    }


if __name__ == "__main__":
    main(sys.argv[1:])
