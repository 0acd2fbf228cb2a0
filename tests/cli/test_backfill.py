"""The past of a simulated account: what is told of it is what would have been scraped."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.backfill.families import UNKNOWN
from exporter.cli import main
from exporter.cli.oneshot import OneShotTarget
from exporter.config import PollingConfig, TargetConfig
from exporter.domain.model import DOCUMENT_KINDS, IN_PROGRESS, IndexId, Location, SourceId
from exporter.domain.model import DataSource as Watched
from exporter.metrics import SourceFamilies
from exporter.polling.lookback import MAX_FAILURE_LOOKBACK
from exporter.polling.poller import Poller
from exporter.runtime import System
from exporter.simulator.fleet import SimulatedDataSource, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedQBusiness
from exporter.store import MEMORY, Store
from tests.support.builders import HOUR, POLICY
from tests.support.contexts import RecordingPublisher, make_context
from tests.support.harness import fleet_of
from tests.support.manual_clock import ManualClock
from tests.support.random_fleet import random_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from exporter.domain.model import SyncJob
    from exporter.simulator.fleet import Fleet

STEP = 300.0
BEGIN = STEP * 6_000_000
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(autouse=True)
def _as_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")


def config_of(service: SimulatedQBusiness, **more: Any) -> dict[str, Any]:
    """Build a configuration that finds everything."""
    target = {"name": "test", "region": "us-east-1", "endpoint_url": service.url}
    pace = {"requests_per_second": 1000, "concurrency": 4}
    buckets = ["1m", "5m", "15m", "1h"]
    return {"targets": [target], "polling": pace, "metrics": {"duration_buckets": buckets}, **more}


def backfill(
    service: SimulatedQBusiness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *flags: str, code: int = 0
) -> str:
    """Run the command, and give what it wrote."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", service.url)
    config, output = tmp_path / "config.yaml", tmp_path / "past.om"
    config.write_text(yaml.safe_dump(config_of(service, state={"path": str(tmp_path / "state.db")})))
    assert main(["backfill", f"--config.file={config}", f"--output={output}", *flags]) == code
    return output.read_text()


def pages(text: str) -> dict[float, Samples]:
    """Part a file into what a scrape at each moment would have had."""
    lines: Mapping[float, list[str]] = defaultdict(list)
    *body, end = text.removesuffix("\n").split("\n")
    assert end == "# EOF"
    family: list[str] = []
    for line in body:
        if line.startswith("# HELP"):
            family = [line]
        elif line.startswith("#"):
            family.append(line)
        else:
            stamp = float(line.rpartition(" ")[2])
            page = lines[stamp]
            if family[0] not in page:
                page += family
            page.append(line)
    return {
        stamp: {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for found in text_string_to_metric_families("\n".join([*page, "# EOF\n"]))
            for sample in found.samples
        }
        for stamp, page in sorted(lines.items())
    }


class Live:
    """A live exporter's polls on virtual time, and what its page would have had."""

    def __init__(self, service: SimulatedQBusiness) -> None:
        target = TargetConfig.model_validate({"name": "test", "region": "us-east-1", "endpoint_url": service.url})
        asked = OneShotTarget(target, PollingConfig.model_validate({"requests_per_second": 1000}))
        store = Store(MEMORY, lambda: None)
        self._publisher = RecordingPublisher()
        context = make_context(asked.provider, store, System(), self._publisher, target="test")
        self._poller = Poller(context, self, POLICY)
        self._sources = []
        for application, index, source in service.fleet.data_sources():
            named = Watched("test", SourceId(application.id, index.id, source.id))
            listed = asked.provider.data_sources(IndexId(application.id, index.id)).items[source.id]
            self._poller.watch(named)
            self._poller.describe(named, index.name, listed)
            self._sources.append(named)

    def scrape(self, now: float) -> dict[str, Samples]:
        """Poll everything, and give the samples of each source, by its id."""
        for source in self._sources:
            assert self._poller.poll(source).succeeded
        families = SourceFamilies(POLICY.window)
        found: dict[str, Samples] = {}
        latest = {snapshot.source.id: snapshot for snapshot in self._publisher.sources}
        for key, snapshot in latest.items():
            shown = replace(snapshot, location=Location("111122223333", "us-east-1"))
            found[key.data_source_id] = {
                (sample.name, frozenset(sample.labels.items())): sample.value
                for part in range(len(families.parts(shown)))
                for metric in families.collect(shown, now, part)
                for sample in metric.samples
            }
        return found

    def polled(self) -> None:
        """Not counted."""

    def failed(self, reason: object) -> None:
        """Not counted: polls are asserted to work."""

    def ended(self, job: SyncJob) -> None:
        """Not counted."""


def remembering(fleet: Fleet) -> Fleet:
    """Let the service list everything that ever was."""
    for _, _, source in fleet.data_sources():
        if source.routine:
            source.routine = replace(source.routine, max_listed=10**6)
    return fleet


def as_told(live: Samples) -> Samples:
    """Give what can be known of a page afterwards: that a job was in progress, and not how."""
    told: Samples = {}
    for (name, labels), value in live.items():
        status = dict(labels).get("status")
        kept = labels
        if name in {"qbusiness_sync_jobs", "qbusiness_sync_status"} and status in IN_PROGRESS:
            told.setdefault((name, labels), 0.0)
            kept = labels - {("status", status)} | {("status", "SYNCING")}
        if name not in UNKNOWN:
            told[name, kept] = told.get((name, kept), 0.0) + value
    return told


def value(samples: Samples, name: str) -> float:
    """Give the sum of a name's samples."""
    return sum(value for (sample, _), value in samples.items() if sample == name)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_past_is_told_as_it_would_have_been_scraped(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every step, every figure that can be known; documents wherever nothing is in progress."""
    steps, clock = 40, ManualClock(BEGIN)
    fleet = remembering(random_fleet(seed, 10, BEGIN, odd=False))
    with SimulatedQBusiness(fleet, clock) as service:
        live, scraped = Live(service), {}
        for number in range(steps):
            now = BEGIN + number * STEP
            clock.set(now)
            scraped[now] = live.scrape(now)
        clock.advance(10)
        text = backfill(service, tmp_path, monkeypatch, f"--since={int(steps * STEP)}s")
    told = pages(text)
    compared = 0
    for now, sources in scraped.items():
        for identifier, samples in sources.items():
            mine = {key: value for key, value in told[now].items() if ("data_source_id", identifier) in key[1]}
            expected = as_told(samples)
            began_idle = value(scraped[BEGIN][identifier], "qbusiness_sync_running") == 0
            for kind in DOCUMENT_KINDS:
                name = f"qbusiness_documents_{kind}_total"
                assert value(mine, name) <= value(expected, name) or not began_idle
                if not began_idle or value(samples, "qbusiness_sync_running"):
                    mine = {key: v for key, v in mine.items() if key[0] != name}
                    expected = {key: v for key, v in expected.items() if key[0] != name}
            streak = "qbusiness_consecutive_failed_syncs"
            if value(expected, streak) >= MAX_FAILURE_LOOKBACK - 5:  # a first poll reads no further back
                assert value(mine, streak) >= value(expected, streak)
                mine, expected = ({k: v for k, v in page.items() if k[0] != streak} for page in (mine, expected))
            if mine:
                # Sums of seconds differ in what floating point makes of the order in which they were added up.
                mine, expected = ({k: round(v, 3) for k, v in page.items()} for page in (mine, expected))
                assert mine.items() ^ expected.items() == set(), (now, identifier)
                compared += len(mine)
    assert compared > 10_000


@pytest.fixture
def service() -> Iterator[SimulatedQBusiness]:
    """Serve two data sources that have a sync behind them, and one that never had any."""
    past = [
        SimulatedDataSource(name, "CUSTOM", jobs=[PlannedJob(make_id(name), BEGIN - 2 * HOUR, 600, 300)])
        for name in ("hr", "it")
    ]
    with SimulatedQBusiness(fleet_of(*past, SimulatedDataSource("new")), ManualClock(BEGIN)) as service:
        yield service


def names_in(text: str) -> set[str]:
    """Give the data sources that there is something of."""
    return set(re.findall(r'data_source="([^"]+)"', text))


def test_what_has_no_past_has_none(
    service: SimulatedQBusiness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A data source that was never synced, or was watched for longer than is asked for; nothing is left behind."""
    assert names_in(backfill(service, tmp_path, monkeypatch)) == {"hr", "it"}
    error = capsys.readouterr().err
    assert "without_past=1" in error
    assert "not watched yet" in error
    assert "not_before=" in error
    assert {path.name for path in tmp_path.iterdir()} == {"config.yaml", "past.om"}
    store = Store(str(tmp_path / "state.db"), lambda: None)
    store.begin_watch("test", BEGIN - HOUR)
    store.close()
    assert backfill(service, tmp_path, monkeypatch, "--since=30m") == "# EOF\n"
    past = pages(backfill(service, tmp_path, monkeypatch))
    assert max(past) == BEGIN - HOUR - 1
    error = capsys.readouterr().err
    assert "not_before=" in error
    assert "not watched yet" not in error


def test_a_hole_is_named_and_is_a_failure(
    service: SimulatedQBusiness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are told all the same; so that nobody loads what has holes and takes it for whole, it ends with 1."""
    (_, _, source), *_ = service.fleet.data_sources()
    service.faults.add("denied", data_source_id=source.id)
    assert names_in(backfill(service, tmp_path, monkeypatch, code=1)) == {"it"}
    error = capsys.readouterr().err
    assert f'level=error msg="data source could not be read" target=test data_source_id={source.id}' in error


def test_a_target_that_cannot_be_looked_through_is_a_hole(
    service: SimulatedQBusiness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not found has no past that could be told."""
    service.faults.add("denied", operation="ListDataSources")
    assert backfill(service, tmp_path, monkeypatch, code=1) == "# EOF\n"
    assert "data sources may be missing" in capsys.readouterr().err


def test_a_listing_that_fails_on_its_way_is_a_hole(
    service: SimulatedQBusiness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The poll before it read less, and worked."""
    (_, _, source), *_ = service.fleet.data_sources()
    source.jobs += [PlannedJob(make_id("old", n), BEGIN - (9 + n) * 24 * HOUR, 60, 60) for n in range(30)]
    service.faults.add("denied", operation="ListDataSourceSyncJobs", data_source_id=source.id, page=2)
    assert names_in(backfill(service, tmp_path, monkeypatch, code=1)) == {"it"}
    assert "past sync jobs could not be read" in capsys.readouterr().err


def test_a_job_without_end_is_told_where_it_began(
    service: SimulatedQBusiness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """That it ended is certain, and when is not: the log says so."""
    (_, _, source), *_ = service.fleet.data_sources()
    source.change(source.jobs[0].execution_id, overrides={"endTime": None})
    past = pages(backfill(service, tmp_path, monkeypatch))
    first = next(at for at, page in past.items() if value(page, "qbusiness_sync_jobs_completed_total") == 1)
    assert first == BEGIN - 2 * HOUR
    assert "no endTime" in capsys.readouterr().err


def test_long_steps_leave_holes_and_are_said_to(
    service: SimulatedQBusiness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prometheus looks back five minutes for a sample."""
    past = list(pages(backfill(service, tmp_path, monkeypatch, "--step=10m")))
    assert {later - before for before, later in pairwise(past[:-2])} == {600}
    assert "leave holes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["serve", "--since=90d"], "--since goes with backfill, not with serve"),
        (["export", "--step=5m"], "--step goes with backfill, not with export"),
        (["export", "--label=a=b"], "--label goes with backfill, not with export"),
        (["backfill", "--since=90"], "'90' has no unit: write 90s for seconds"),
        (["backfill", "--step=100ms"], "100ms is too short: a second is the least"),
        (["backfill", "--label=job"], "'job' is not a label: write it as NAME=VALUE"),
        (["backfill", "--label=data_source=x"], "data_source is a label that the metrics have themselves"),
    ],
)
def test_wrong_usage_is_said(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With what would be right."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_whoever_stops_reading_is_no_traceback(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """As `backfill | head` does; and what is on stdout is the past alone."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config_of(service, state={"path": MEMORY})))
    words = [sys.executable, "-m", "exporter", "backfill", f"--config.file={tmp_path / 'config.yaml'}", "--step=1s"]
    env = {**os.environ, "AWS_ENDPOINT_URL_STS": service.url}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith("# HELP qbusiness_data_source_")
        process.stdout.close()
        error = process.stderr.read()
        assert process.wait(30) == 1
    assert "stdout was closed before everything was written" in error
    assert "Traceback" not in error


def test_a_terminal_sees_how_far_it_is(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """While it reads, and while it writes."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config_of(service, state={"path": MEMORY})))
    words = [sys.executable, "-m", "exporter", "backfill", f"--config.file={tmp_path / 'config.yaml'}"]
    words.append("--log.level=error")
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    env = {**os.environ, "AWS_ENDPOINT_URL_STS": service.url}
    with subprocess.Popen([*words, f"--output={tmp_path / 'past.om'}"], stderr=there, env=env) as process:
        assert process.wait(60) == 0
    seen = os.read(here, 100_000).decode()
    os.close(there)
    os.close(here)
    assert "reading" in seen
    assert "writing" in seen
