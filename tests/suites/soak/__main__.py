"""Runs one soak: `python -m tests.suites.soak FOLDER --sources 2500 --hours 24 --samples 48`.

Prints each sample of the resource usage as a line of JSON. Fails if the totals at the end are wrong.
"""

from __future__ import annotations

import gzip
import json
import math
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path

from exporter.cli import logs
from simulation.page import ParsedPage
from tests.suites.soak import leaks
from tests.suites.soak.program import Soak


def main() -> int:
    """Run a soak and return the exit code."""
    parser = ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sources", type=int, required=True)
    parser.add_argument("--hours", type=float, required=True)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--over-http", action="store_true")
    parser.add_argument("--leak", action="append", default=[])
    arguments = parser.parse_args()
    for name in arguments.leak:
        getattr(leaks, name)()
    logs.configure(sys.stderr)
    with Soak(arguments.folder, arguments.sources, arguments.hours, over_http=arguments.over_http) as soak:
        print(json.dumps({"resident_before": soak.resident_before}), flush=True)
        for usage in soak.run(arguments.samples):
            print(json.dumps(asdict(usage)), flush=True)
        soak.finish_jobs()
        check_totals(soak)
    return 0


def check_totals(soak: Soak) -> None:
    """Raise AssertionError if the totals of a data source are wrong."""
    page = ParsedPage.parse(gzip.decompress(soak.get()).decode())
    expected = soak.account.expected_totals(soak.clock.now)
    assert sum(sum(totals.completed.values()) for totals in expected.values()) > len(expected), "too few jobs ended"
    for source, totals in expected.items():
        families = page.by_source[source]
        completed = families["sync_jobs_completed_total"]
        assert {status: completed[("status", status),] for status in totals.completed} == totals.completed, source
        documents = {kind: families[f"documents_{kind}_total"][()] for kind in totals.documents}
        assert documents == totals.documents, source
        seconds = sum(families["sync_job_duration_seconds_sum"].values())
        assert math.isclose(seconds, sum(totals.seconds.values()), abs_tol=0.01), source


if __name__ == "__main__":
    sys.exit(main())
