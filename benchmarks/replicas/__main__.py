"""Measures the costs of replicas: requests, commits, the time of a take-over, and the CPU time of a commit.

`python -m benchmarks.replicas` writes the results into benchmarks/README.md.
"""

from __future__ import annotations

import logging
import statistics
import sys

import structlog

from benchmarks.replicas.cluster import MINUTES, count_work, measure_take_over
from benchmarks.replicas.commits import compare_commits
from benchmarks.report import environment, table, write_section

SEEDS = range(1, 6)
KILLS = range(1, 31)
COLUMNS = ("replicas", "requests", "ratio", "polls", "commits / poll", "other transactions / s")


def main() -> int:
    """Measure, print the results, and write them into the page."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    results = "\n\n".join([environment(), table(COLUMNS, work_rows()), take_over(), commits()])
    print(results)
    write_section("replicas", results)
    return 0


def work_rows() -> list[list[str]]:
    """Return a row for each number of replicas, with the sums over all seeds."""
    rows, single = [], 0
    for replicas in ("a", "ab", "abc"):
        works = [count_work(seed, replicas) for seed in SEEDS]
        requests, polls, written, others = (sum(values) for values in zip(*works, strict=True))
        single = single or int(requests)
        rate = others / (len(SEEDS) * MINUTES * 60)
        cells = f"{requests:,}", f"{requests / single:.2f}", f"{polls:,.0f}", f"{written / polls:.2f}", f"{rate:.2f}"
        rows.append([str(len(replicas)), *cells])
    return rows


def take_over() -> str:
    """Return a sentence with the time for which targets of a killed replica had no owner."""
    seconds = [measure_take_over(seed) for seed in KILLS]
    median, longest = statistics.median(seconds), max(seconds)
    return (
        f"Of three replicas, one was killed, {len(seconds)} times. "
        f"Its targets had a new owner after {median:.0f} s in the median, and after {longest:.0f} s at most."
    )


def commits() -> str:
    """Return a sentence with the CPU times of a commit."""
    file, database, ratio = compare_commits()
    return (
        f"The commit of a poll takes {file:.2f} ms of CPU time with a file and {database:.2f} ms with PostgreSQL "
        f"(medians). Of pairs that ran one after the other, the median ratio is {ratio:.1f}."
    )


if __name__ == "__main__":
    sys.exit(main())
