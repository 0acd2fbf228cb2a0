"""Reloads between random configurations while AWS fails at random: no ghost series, no gap, no falling counter."""

from __future__ import annotations

import random
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.fresh_process import scrape_fresh
from tests.support.harness import Scrape, eventually
from tests.support.random_reloads import (
    FAULTS,
    FAULTY_OPERATIONS,
    REGIONS,
    RandomConfigurations,
    make_place,
    start_sync,
)
from tests.support.running_exporter import RunningExporter

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.simulator.fleet import SimulatedDataSource
    from tests.support.random_reloads import RandomConfiguration, SimulatedRegion

INFO, INDEX_INFO = "qbusiness_data_source_info", "qbusiness_index_info"
COMPLETED, DURATIONS = "qbusiness_sync_jobs_completed_total", "qbusiness_sync_job_duration_seconds"
RELOADS_IN_A_ROUND = 2
COUNTERS = ("_total", "_count", "_bucket")
# A restart begins without these until the first poll and the first discovery run.
AFTER_A_POLL = ("qbusiness_poll_success", "qbusiness_last_successful_poll", "qbusiness_index", "qbusiness_exporter")
Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


def ids_in(values: Values, label: str = "data_source_id", name: str = "") -> set[str]:
    """Return the values of a label in all series, or in the series of one family."""
    series = (dict(labels) for family, labels in values if name in {"", family})
    return {labels[label] for labels in series if label in labels}


def of_sources(values: Values) -> Values:
    """Return the samples that a restart restores."""
    return {
        key: value
        for key, value in values.items()
        if key[0].startswith("qbusiness_") and not key[0].startswith(AFTER_A_POLL)
    }


class RandomReloads:
    """A running exporter that is reloaded at random, and its last page."""

    def __init__(self, program: RunningExporter, places: list[SimulatedRegion], rng: random.Random) -> None:
        self._program = program
        self._places = places
        self._rng = rng
        self._counters: dict[Any, float] = {}
        self._syncs: dict[str, int] = {}
        self._buckets: Any = None

    def until_complete(self, drawn: RandomConfiguration) -> None:
        """Wait until all selected data sources are described, and all of their jobs are counted once.

        Discovery may still be incomplete: GetDataSource is requested again 15 minutes after it was refused.
        """

        def is_complete() -> bool:
            scrape = self._program.scrape()
            described = scrape.value(INFO) or 0.0
            return (
                ids_in(scrape.samples) == drawn.selected
                and (scrape.value("qbusiness_poll_success") or 0.0) == described == len(drawn.selected)
                and not scrape.value(INFO, aws_account_id="")
                and all(self._counted(scrape, source) >= self._syncs.get(source, 0) for source in drawn.selected)
            )

        eventually(is_complete)
        scrape = self._program.scrape()
        for source in drawn.selected:
            assert self._counted(scrape, source) == self._syncs.get(source, 0), "a job was counted twice"

    @staticmethod
    def _counted(scrape: Scrape, source: str) -> float:
        return scrape.value(COMPLETED, data_source_id=source) or 0.0

    def start_sync(self, source: SimulatedDataSource) -> None:
        """Start a sync of a data source, watched or not; the counts of the source must include it once."""
        self._syncs[source.id] = number = self._syncs.get(source.id, 0) + 1
        start_sync(source, number)

    def start_syncs(self) -> None:
        """Start a sync of some data sources."""
        for place in self._places:
            self.start_sync(self._rng.choice(place.sources()))

    def fail(self) -> None:
        """Start a random fault in a random service."""
        service = self._rng.choice(self._places).service
        service.faults.add(self._rng.choice(FAULTS), operation=self._rng.choice(FAULTY_OPERATIONS))

    def end_faults(self) -> None:
        """End all faults. The next reload does not wait for retries."""
        for place in self._places:
            place.service.faults.clear()

    def reload(self, drawn: RandomConfiguration) -> None:
        """Reload, and compare the page with the previous page and with that of a new process."""
        before = self._program.scrape()
        self._program.reload(drawn.config)
        after = self._program.scrape()
        self._check_sources(drawn, before, after)
        self._check_indexes(drawn, before, after)
        self._check_targets(drawn, after)
        self._check_counters(drawn, after)
        try:
            eventually(lambda: not self._differences(drawn))  # a poll may end while the state is copied
        except AssertionError as error:
            error.add_note(f"differences from a fresh process: {self._differences(drawn)}")
            raise

    @staticmethod
    def _check_sources(drawn: RandomConfiguration, before: Scrape, after: Scrape) -> None:
        described, exposed = ids_in(before.samples, name=INFO), ids_in(before.samples)
        stay = (described | (exposed & drawn.named.keys())) & drawn.selected
        assert not stay - ids_in(after.samples), "gap"
        assert not described & stay - ids_in(after.samples, name=INFO), "gap in the description"
        assert not ids_in(after.samples) - drawn.selected, "ghost series"
        for identifier, alias in drawn.named.items():
            if identifier in stay and alias:
                assert after.value("qbusiness_sync_jobs", data_source_id=identifier, data_source=alias) is not None

    @staticmethod
    def _check_indexes(drawn: RandomConfiguration, before: Scrape, after: Scrape) -> None:
        described = ids_in(before.samples, name=INFO)
        watched = ids_in(
            {series: value for series, value in after.samples.items() if ids_in({series: value}) & described},
            "index_id",
            INFO,
        )
        indexes = ids_in(after.samples, "index_id", INDEX_INFO)
        assert not ids_in(before.samples, "index_id", INDEX_INFO) & watched - indexes, "gap of an index"
        assert not indexes - drawn.indexes, "ghost index"

    @staticmethod
    def _check_targets(drawn: RandomConfiguration, after: Scrape) -> None:
        assert ids_in(after.samples, "target") == drawn.targets
        for name in ("target_up", "target_info", "data_sources", "polls_total", "api_request_rate_limit"):
            assert ids_in(after.samples, "target", f"qbusiness_exporter_{name}") == drawn.targets

    def _check_counters(self, drawn: RandomConfiguration, after: Scrape) -> None:
        """Assert that no counter of a data source falls, except histograms whose buckets have changed."""
        before, self._buckets = self._buckets, drawn.config["metrics"]
        if before != self._buckets:
            self._counters = {key: value for key, value in self._counters.items() if not key[0].startswith(DURATIONS)}
        for (name, labels), value in after.samples.items():
            if name.endswith(COUNTERS) and "data_source_id" in dict(labels):
                key = (name, labels - {label for label in labels if label[0] in {"application", "data_source"}})
                assert value >= self._counters.get(key, 0.0), (name, dict(labels))
                self._counters[key] = value

    def _differences(self, drawn: RandomConfiguration) -> list[Any]:
        """Return the samples in which a fresh process with a copy of the state differs."""
        restored = of_sources(scrape_fresh(drawn.config).samples)
        return sorted(restored.items() ^ of_sources(self._program.scrape().samples).items(), key=str)


def reload_at_random(seed: int, folder: Path, *, rounds: int) -> None:
    """Reload between random configurations, with an exposition that is compared after each step."""
    rng = random.Random(seed)
    with ExitStack() as stack:
        places = [make_place(region) for region in REGIONS]
        for place in places:
            stack.enter_context(place.service)
        configurations = RandomConfigurations(rng, places, folder / "state.db")
        drawn = configurations.everything()
        program = stack.enter_context(RunningExporter(drawn.config))
        reloads = RandomReloads(program, places, rng)
        reloads.until_complete(drawn)
        for _ in range(rounds):
            for _ in range(RELOADS_IN_A_ROUND):
                reloads.start_syncs()
                reloads.fail()
                reloads.reload(configurations.draw())
            reloads.end_faults()
            drawn = configurations.everything()
            reloads.reload(drawn)
            reloads.until_complete(drawn)


def test_reloads_between_random_configurations(tmp_path: Path) -> None:
    """Whatever a reload does not drop stays exposed, as in a fresh process with the same state."""
    reload_at_random(0, tmp_path, rounds=1)


@pytest.mark.trial
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(100, 104))
def test_many_reloads_between_random_configurations(seed: int, tmp_path: Path) -> None:
    """The same holds for long sequences of reloads."""
    reload_at_random(seed, tmp_path, rounds=4)
