"""Runs the program for hours of virtual time: `python -m suites.soak FOLDER --sources 2500 --hours 24`.

Prints what it took as it goes, a JSON object a line; fails where totals are not the truth in the end.
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
    """Run it."""
    parser = ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sources", type=int, required=True)
    parser.add_argument("--hours", type=float, required=True)
    parser.add_argument("--looks", type=int, required=True)
    parser.add_argument("--over-http", action="store_true")
    parser.add_argument("--leak", action="append", default=[])
    arguments = parser.parse_args()
    for name in arguments.leak:
        getattr(leaks, name)()
    logs.configure("info", "logfmt")
    with Soak(arguments.folder, arguments.sources, arguments.hours, over_http=arguments.over_http) as soak:
        print(json.dumps({"resident_before": soak.resident_before}), flush=True)
        for vitals in soak.run(arguments.looks):
            print(json.dumps(asdict(vitals)), flush=True)
        soak.settle()
        check(soak)
    return 0


def check(soak: Soak) -> None:
    """Hold the totals against the truth; raises AssertionError where they are not."""
    page = ParsedPage.parse(gzip.decompress(soak.page()).decode())
    truth = soak.organisation.expected_totals(soak.timeline.now)
    assert sum(sum(totals.completed.values()) for totals in truth.values()) > len(truth), "hardly a job has ended"
    for source, totals in truth.items():
        shown = page.by_source[source]
        completed = shown["qbusiness_sync_jobs_completed_total"]
        assert {status: completed[("status", status),] for status in totals.completed} == totals.completed, source
        documents = {kind: shown[f"qbusiness_documents_{kind}_total"][()] for kind in totals.documents}
        assert documents == totals.documents, source
        seconds = sum(shown["qbusiness_sync_job_duration_seconds_sum"].values())
        assert math.isclose(seconds, sum(totals.seconds.values()), abs_tol=0.01), source


if __name__ == "__main__":
    sys.exit(main())
