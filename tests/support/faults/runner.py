"""One cell of the matrix, tried: a fault befalls one request, then an hour of them, and all is well after it."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import botocore.loaders

from exporter.errors import Reason
from exporter.polling.lookback import FULL_REREAD_INTERVAL
from tests.support.builders import HOUR
from tests.support.faults.environment import BEGIN, HOST, Stage

if TYPE_CHECKING:
    import pytest

    from exporter.simulator.fleet import SimulatedDataSource
    from simulation.virtual_clock import VirtualHost
    from tests.support.faults.environment import Page
    from tests.support.faults.matrix import Cell

POLLED_AGAIN = 900.0 + 60.0  # seconds: the longest back-off of a poll, and a minute for the poll
FOUND_AGAIN = 1800.0 + 60.0  # the interval of discovery
LATE = 60.0
THROTTLED_LATE = 300.0  # whatever AWS throttles, all requests slow down
LONGEST_JOB = 300.0
CELLS_ON_A_STAGE = 12
_UNCHANGED = ("qbusiness_data_source_", "qbusiness_index_")
_getaddrinfo = socket.getaddrinfo
_load = lru_cache(botocore.loaders.create_loader)


def _resolve(host: str, *rest: Any) -> Any:
    return _getaddrinfo("127.0.0.1" if host == HOST else host, *rest)


def surroundings(monkeypatch: pytest.MonkeyPatch, stage: Stage) -> None:
    """Give credentials, the stage's time to the SDK too, and the SDK's models from memory."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", stage.service.url)
    monkeypatch.setattr("botocore.endpoint.time.sleep", stage.host.pause)
    monkeypatch.setattr("botocore.credentials._local_now", lambda: datetime.fromtimestamp(stage.timeline.now, UTC))
    monkeypatch.setattr("botocore.session.create_loader", _load)
    monkeypatch.setattr("socket.getaddrinfo", _resolve)
    locks = SimpleNamespace(Lock=lambda: _Lock(stage.host))
    monkeypatch.setattr("botocore.credentials.threading", locks)


class _Lock:
    """A lock that is held while time passes: whoever renews credentials waits for the request budget with it."""

    def __init__(self, host: VirtualHost) -> None:
        self._given_back = host.condition()
        self._is_held = False

    def acquire(self, blocking: bool = True) -> bool:  # noqa: FBT001, FBT002 (as threading.Lock has it)
        while self._is_held:
            if not blocking:
                return False
            self._given_back.wait()
        self._is_held = True
        return True

    def release(self) -> None:
        self._is_held = False
        self._given_back.notify()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Trial:
    """A cell on its stage."""

    def __init__(self, cell: Cell, stage: Stage) -> None:
        self.cell = cell
        self.stage = stage
        hr, it, wiki = (stage.sources[name] for name in ("hr", "it", "wiki"))
        one_only = cell.scope == "one"
        self.victims: list[SimulatedDataSource] = [hr, it, wiki]
        self._where: dict[str, Any] = {"operation": cell.operation.name}
        self._where["page"] = cell.page if cell.operation.is_paged and not cell.fault.by_token else None
        if one_only and cell.operation.name in {"ListDataSourceSyncJobs", "GetDataSource", "ListTagsForResource"}:
            self._where["data_source_id"], self.victims = hr.id, [hr]
        elif one_only:
            self._where["application_id"], self.victims = stage.fleet.applications[0].id, [hr, it]

    @property
    def bystanders(self) -> list[SimulatedDataSource]:
        """Give the sources that the fault does not concern."""
        return [source for source in self.stage.sources.values() if source not in self.victims]

    def run(self) -> None:
        """Try it for a moment and for an hour, while jobs come and go."""
        self.stage.begin_jobs()
        self.stage.run(LATE * 5)
        self.try_once()
        self.try_for_an_hour()
        self.end()

    def befall(self, **limit: float) -> Any:
        """Put the fault in force, and give reason to ask for what is only asked for when something changed."""
        for source in self.stage.sources.values():
            source.updated += 1
        return self.stage.service.faults.add(self.cell.fault.kind, **self._where, **limit, seconds=0.1)

    def figure(self, name: str, *words: str) -> float:
        """Give a figure of the last page."""
        return self.stage.pages[-1].total(name, *words)

    def attempts(self) -> float:
        """Count the attempts with the fault's code."""
        labels = (f'operation="{self.cell.operation.name}"', f'code="{self.cell.code}"')
        return self.figure("qbusiness_exporter_api_requests_total", *labels)

    def failures(self) -> float:
        """Count the polls that failed for the fault's reason."""
        words = (f'reason="{self.cell.reason}"',) if self.cell.reason else ()
        return self.figure("qbusiness_exporter_poll_failures_total", *words)

    def all_failures(self) -> float:
        """Count the polls that failed."""
        return self.figure("qbusiness_exporter_poll_failures_total")

    # For a moment.

    def try_once(self) -> None:
        """Let the fault befall a single request."""
        effect = self.cell.operation.effect
        began = self.stage.timeline.now
        before, attempts, polls = self.failures(), self.attempts(), self.all_failures()
        fault = self.befall(times=1)
        while fault.times:
            assert self.stage.timeline.now < began + HOUR, "never asked"
            self.stage.run(LATE)
        self.stage.run(LATE / 2)  # a round under way ends
        assert self.attempts() >= attempts + 1
        failed = self.failures() - before if self.cell.reason else self.all_failures() - polls
        assert failed == (1 if effect == "poll" and self._once_fails else 0)
        if effect == "discovery":
            assert self.figure("qbusiness_exporter_discovery_success") == (not self._once_fails)
        self._run_until_well()

    @property
    def _once_fails(self) -> bool:
        fault = self.cell.fault
        return self.cell.reason is not None and not fault.tries and not fault.once_is_absorbed

    # From the start on.

    def run_from_start(self, **limit: float) -> None:
        """Start under the fault; where it lasts for an hour, see that it is said; then all is well."""
        stage, fault = self.stage, self.befall(**limit)
        stage.start()
        stage.run(LATE)
        while fault.times:
            assert stage.timeline.now < BEGIN + HOUR, "never asked"
            stage.run(LATE)
        if fault.until:
            stage.run(fault.until - stage.timeline.now - 1)
            self._see_from_start()
            stage.run(1)
        assert self.attempts() > 0
        self._run_until_well()
        stage.begin_jobs()
        stage.run(900)
        self.end()

    def _see_from_start(self) -> None:
        page, fault = self.stage.pages[-1], self.cell.fault
        if self.cell.operation.effect == "account":
            unknown = page.total("qbusiness_target_up", 'aws_account_id=""')
            assert unknown == (self.cell.reason is not None)
        elif self.cell.reason is None:
            assert not self.stage.trouble()
        elif fault.is_refusal:
            names = [page.total("qbusiness_poll_success", source.id, source.id) for source in self.victims]
            assert names == [1] * len(self.victims)
        else:
            assert self.failures() > 0
            assert [page.of(source) for source in self.victims] == [{}] * len(self.victims)
        self._see_bystanders()

    # For an hour.

    def try_for_an_hour(self) -> None:
        """Let the fault befall every request of an hour, and see that all is well soon after it."""
        stage = self.stage
        before, failures, attempts = stage.look(), self.failures(), self.attempts()
        self.befall(until=stage.timeline.now + HOUR)
        stage.run(HOUR * 2 / 3)
        if self.cell.operation.effect == "credentials":
            before = stage.look()  # those at hand were good until now
        stage.run(HOUR / 3 - 1)
        assert self.attempts() > attempts
        if self.cell.reason is None:
            assert not stage.trouble(stage.timeline.now - POLLED_AGAIN, stage.timeline.now - FOUND_AGAIN)
        else:
            self._see(before, failures)
        self._see_bystanders()
        stage.run(1)
        self._run_until_well()

    def _run_until_well(self) -> None:
        effect = self.cell.operation.effect
        patience = POLLED_AGAIN if effect in {"poll", "names"} else FOUND_AGAIN
        self.stage.run_until_well(patience, discovered=effect in {"discovery", "account"})

    def _see(self, before: Page, failures: float) -> None:
        """See that it is said, and what stays."""
        page, effect = self.stage.pages[-1], self.cell.operation.effect
        if effect in {"poll", "credentials"}:
            assert self.failures() > failures
            for source in self.victims:
                assert page.total("qbusiness_poll_success", source.id) == 0
                changed = changes(before.of(source), page.of(source))
                assert changed - {"qbusiness_poll_success"} == set(), changed
        if effect == "discovery":
            assert self.figure("qbusiness_exporter_discovery_success") == 0
            assert self.failures() == failures
            kept, now = (_said_of_things(shown) for shown in (before, page))
            assert kept == now

    def _see_bystanders(self) -> None:
        """See that sources which the fault does not concern are polled on time."""
        page, now = self.stage.pages[-1], self.stage.timeline.now
        polled = self.cell.operation.effect in {"discovery", "account"} or self.cell.reason is None
        for source in self.stage.sources.values() if polled else self.bystanders:
            assert page.total("qbusiness_poll_success", source.id) == 1
            at = page.total("qbusiness_last_successful_poll_timestamp_seconds", source.id)
            assert now - at <= 900 + (THROTTLED_LATE if self.cell.reason is Reason.THROTTLED else LATE)

    def end(self) -> None:
        """Let every job end, and see that the totals are the truth."""
        self.stage.finish()
        self.stage.run(FULL_REREAD_INTERVAL if self.cell.fault.by_reread else LONGEST_JOB + LATE)
        self.stage.run_until_well(POLLED_AGAIN)
        wrong = self.stage.wrong(self.stage.sources.values(), with_durations=not self.cell.fault.costs_durations)
        assert not wrong, wrong


def changes(before: dict[str, float], after: dict[str, float]) -> set[str]:
    """Give the families that differ."""
    return {
        series.partition("{")[0] for series in before.keys() | after.keys() if before.get(series) != after.get(series)
    }


def _said_of_things(page: Page) -> dict[str, float]:
    return {series: value for series, value in page.series.items() if series.startswith(_UNCHANGED)}


class Stages:
    """Stages that go on from cell to cell, for a while: starting is most of what a cell costs."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[Stage, int]] = {}

    def take(self, scene: str) -> Stage | None:
        """Give a stage on which all is well, for one cell, if there is one."""
        stage, _ = self._running.get(scene, (None, 0))
        return stage

    def keep(self, stage: Stage, *, spent: bool) -> None:
        """Keep a stage on which all is well, unless it is of no more use."""
        _, used = self._running.get(stage.scene, (stage, 0))
        if used < CELLS_ON_A_STAGE and not spent:
            self._running[stage.scene] = (stage, used + 1)
        else:
            self.drop(stage)

    def drop(self, stage: Stage) -> None:
        """Let go of a stage."""
        self._running.pop(stage.scene, None)
        stage.stop()


def try_cell(cell: Cell, monkeypatch: pytest.MonkeyPatch, stages: Stages) -> None:
    """Try a cell of the matrix."""
    if cell.operation.at_start:
        for limit in ({"times": 1}, {"until": BEGIN + HOUR}):
            with Stage(cell.operation.scene) as stage:
                surroundings(monkeypatch, stage)
                Trial(cell, stage).run_from_start(**limit)
        return
    running = stages.take(cell.operation.scene)
    stage = running or Stage(cell.operation.scene)
    surroundings(monkeypatch, stage)
    trial = Trial(cell, stage)
    try:
        if running is None:
            stage.service.start()
            stage.start()
            stage.run_until_well(FOUND_AGAIN)
        trial.run()
    except BaseException:
        stages.drop(stage)
        raise
    stages.keep(stage, spent=cell.fault.costs_durations)
