"""A scraped page, and the differences between its values and the correct ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from tests.support.oracle import all_jobs, expected_totals

if TYPE_CHECKING:
    from exporter.simulator.fleet import SimulatedDataSource

COMPLETED = "sync_jobs_completed_total"
SECONDS = "sync_job_duration_seconds_sum"
LAST_SUCCESS = "last_successful_sync_timestamp_seconds"


@dataclass(frozen=True)
class ScrapedPage:
    """The values of all series of a service and of the exporter, by their names with labels.

    Families are named without their prefix. Families of the exporter begin with `exporter_`.
    """

    service: str
    series: dict[str, float]

    @classmethod
    def parse(cls, service: str, text: str) -> Self:
        """Parse the text format as this program writes it."""
        lines = (line.rpartition(" ") for line in text.splitlines() if line[:1] != "#")
        return cls(service, {_short(service, name): float(value) for name, _, value in lines})

    def select(self, family: str, *words: str) -> dict[str, float]:
        """Return the series of a family whose labels contain all of these words."""
        found = ((series, value) for series, value in self.series.items() if series.startswith(family + "{"))
        return {series: value for series, value in found if all(word in series for word in words)}

    def total(self, family: str, *words: str) -> float:
        """Return the sum of the series of a family whose labels contain all of these words."""
        return sum(self.select(family, *words).values())

    def of_source(self, source: SimulatedDataSource) -> dict[str, float]:
        """Return all series of a data source."""
        return {series: value for series, value in self.series.items() if f'data_source_id="{source.id}"' in series}

    def decreased_counters(self, before: ScrapedPage) -> list[str]:
        """Return the counters that are lower than on an earlier page."""
        lower = (series for series, value in before.series.items() if self.series.get(series, value) < value)
        return [series for series in lower if _is_counter(series)]

    def wrong_totals(
        self,
        source: SimulatedDataSource,
        since: float,
        now: float,
        with_durations: bool = True,  # noqa: FBT001, FBT002 (only the environment calls it)
        with_outcomes: bool = True,  # noqa: FBT001, FBT002 (the same)
    ) -> list[str]:
        """Return the values of a data source that differ from the correct ones, counted since a time.

        Without outcomes, jobs that succeeded may be INCOMPLETE.
        """
        expected = expected_totals(source, since, now)
        ends = [job.ends for job in all_jobs(source, now) if job.outcome == "SUCCEEDED" and job.ends <= now]
        correct: dict[str, float] = {f"documents_{kind}_total": n for kind, n in expected.documents.items()}
        shown = {name: self.total(name, source.id) for name in correct}
        correct[LAST_SUCCESS], shown[LAST_SUCCESS] = (
            round(max(ends, default=0)),
            round(self.total(LAST_SUCCESS, source.id)),
        )
        for status, count in expected.completed.items():
            correct[f"{COMPLETED} {status}"] = count
            shown[f"{COMPLETED} {status}"] = self.total(COMPLETED, source.id, f'status="{status}"')
        for status, seconds in expected.seconds.items() if with_durations else ():
            correct[f"{SECONDS} {status}"] = round(seconds)
            shown[f"{SECONDS} {status}"] = round(self.total(SECONDS, source.id, f'status="{status}"'))
        if not with_outcomes:
            correct, shown = _without_outcomes(correct), _without_outcomes(shown)
        wrong = (name for name in correct if not _agree(name, shown[name], correct[name]))
        return [f"{source.name} {name}: {shown[name]}, correct is {correct[name]}" for name in wrong]


def changed_families(before: dict[str, float], after: dict[str, float]) -> set[str]:
    """Return the families with a series that was added, was removed or changed."""
    return {
        series.partition("{")[0] for series in before.keys() | after.keys() if before.get(series) != after.get(series)
    }


def _without_outcomes(totals: dict[str, float]) -> dict[str, float]:
    """Return the totals without the last success; the totals of SUCCEEDED are added to those of INCOMPLETE."""
    merged: dict[str, float] = {}
    for name, total in totals.items():
        if name != LAST_SUCCESS:
            name_without = name.replace("SUCCEEDED", "INCOMPLETE")
            merged[name_without] = merged.get(name_without, 0) + total
    return merged


def _short(service: str, series: str) -> str:
    """Return the name of a series without the prefix of its service or of the exporter."""
    return series.removeprefix("qbusiness_" if series.startswith("qbusiness_exporter_") else f"{service}_")


def _agree(name: str, shown: float, correct: float) -> bool:
    # Sums of seconds add up times that were rounded to milliseconds.
    return abs(shown - correct) <= (1 if "_seconds" in name else 0)


def _is_counter(series: str) -> bool:
    return series.partition("{")[0].endswith(("_total", "_count", "_sum", "_bucket"))
