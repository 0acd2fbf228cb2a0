"""What must hold at every scrape, and what must be true at the end when everything has healed."""

from __future__ import annotations

import sqlite3
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.config.durations import parse_duration
from exporter.lookback import REREAD
from exporter.model import DOCUMENT_KINDS
from exporter.store import codec
from virtual import truth
from virtual.page import Page, is_counter, parse_strictly, say_the_same

if TYPE_CHECKING:
    from exporter.model import SourceHistory
    from virtual.account import Account, Witness
    from virtual.fleet import PlannedSource
    from virtual.process import Process
    from virtual.world import World

STRICTLY_EACH = 20  # scrapes: the real parsers take longer than all the rest
SECOND_THOUGHTS = 3600.0  # seconds after a reread at which what was told wrong is surely known
LATE = 2400.0  # seconds by which a poll may be late under troubles that do not make it fail
FRESH, UP, INFO = (
    "qbusiness_last_successful_poll_timestamp_seconds",
    "qbusiness_poll_success",
    "qbusiness_data_source_info",
)
COMPLETED, DURATIONS = "qbusiness_sync_jobs_completed_total", "qbusiness_sync_job_duration_seconds"
FAILURES = "qbusiness_sync_job_failures_total"
# Families that a source has as soon as it has one of them, with the least number of samples.
WHOLE = {
    COMPLETED: 4,
    FAILURES: 4,
    "qbusiness_sync_jobs": 7,
    "qbusiness_sync_running": 1,
    "qbusiness_consecutive_failed_syncs": 1,
    **{f"qbusiness_documents_{kind}_total": 1 for kind in DOCUMENT_KINDS},
}
OF_TIME = ("qbusiness_sync_jobs", "qbusiness_data_source_", UP)  # what changes without a poll that works
NOTHING: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Before:
    """What the last scrape of the same process saw."""

    sources: set[str] = field(default_factory=set)
    jobs: dict[str, tuple[float, Any]] = field(default_factory=dict)
    reloads: int = 0


class Checker:
    """Looks at every scrape of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._highest: dict[str, float] = {}
        self._names: dict[str, set[str]] = {}
        self._lost = 0
        self._before: Before | None = None
        self._state: sqlite3.Connection | None = None
        self._ceilings: deque[tuple[float, float]] = deque()
        self._slack: deque[tuple[float, float]] = deque()
        self._scrapes = 0
        self.ceiling_changed()

    # What the world tells.

    def started(self) -> None:
        """Take note that a process has started."""
        self._before = None
        self._slack.append((self._world.timeline.now, 1.0))

    def ended(self) -> None:
        """Take note that a process has ended."""
        if self._state:
            self._state.close()
        self._state = None

    def looked(self, key: str) -> None:
        """Take note that a source was looked at for the first time."""
        witness = self._witness(key.rsplit("/", 1)[1])
        witness.looked = self._world.timeline.now

    def ceiling_changed(self) -> None:
        """Take note of the request budget."""
        rate = float(self._world.settings["polling"]["requests_per_second"])
        self._ceilings.append((self._world.timeline.now, rate))

    def budget(self, target: str, moments: deque[float]) -> None:
        """Check an attempt: no ten seconds have more than ten times the ceiling, and one."""
        now = self._world.timeline.now
        while len(self._ceilings) > 1 and self._ceilings[1][0] < now - 10.0:
            self._ceilings.popleft()
        while self._slack and self._slack[0][0] < now - 10.0:
            self._slack.popleft()
        most = 10.0 * max(rate for _, rate in self._ceilings) + 1.0 + sum(slack for _, slack in self._slack)
        assert len(moments) <= most, f"{len(moments)} requests of {target} in ten seconds, and {most:g} are allowed"

    # What every scrape is held to.

    def scrape(self, process: Process) -> None:
        """Scrape a process and check everything."""
        page, text, openmetrics = Page.scrape(process.exporter.page)
        self._world.trace.add(text)
        self._scrapes += 1
        self._world.trace.note("scrape", len(page.samples))
        assert say_the_same(text, openmetrics), "the two formats of the page differ"
        if self._scrapes % STRICTLY_EACH == 0:
            parse_strictly(text, openmetrics)
        self._check_health(process)
        self._check_counters(page)
        histories, watched = self._committed(process)
        before = self._before or Before(reloads=self._world.reloads)
        after = Before(set(page.by_source), {}, self._world.reloads)
        self._check_presence(before, after)
        for source_id, families in page.by_source.items():
            after.jobs[source_id] = self._check_source(process, source_id, families, before, histories, watched)
        self._before = after

    def final(self) -> None:
        """Check, where everything has healed and settled, that all is seen and all is counted."""
        process = self._world.process
        assert process is not None
        self.scrape(process)
        page = Page.scrape(process.exporter.page)[0]
        now = self._world.timeline.now
        for account, source in self._expected():
            families = page.by_source.get(source.id)
            assert families, f"{source.name} is not shown at the end"
            assert families[UP][NOTHING] == 1, f"{source.name} is not polled at the end"
            age = now - families[FRESH][NOTHING]
            assert age <= self._idle() + 600, f"{source.name} was last polled {age:.0f} seconds ago"
            assert self._is_trusted(account.witnesses[source.id], now), "the end comes too soon after the last lie"
        for target in self._world.settings["targets"]:
            name = target["name"]
            for family in ("qbusiness_target_up", "qbusiness_exporter_discovery_success"):
                assert page.value(family, target=name) == 1, f"{family} of {name} is not 1 at the end"
            lag = page.value("qbusiness_exporter_poll_lag_seconds", target=name) or 0.0
            assert lag < 120, f"the polls of {name} are {lag:.0f} seconds late at the end"

    def _check_health(self, process: Process) -> None:
        reason = process.exporter.unhealthy()
        assert reason is None, f"not healthy: {reason}"
        is_ready = process.exporter.unready() is None
        assert is_ready or not process.was_ready, "readiness was taken back"
        process.was_ready = is_ready

    def _check_counters(self, page: Page) -> None:
        """Let no counter of a source fall, over crashes too, unless what was counted could not be written."""
        if self._lost != self._world.state_lost:
            self._highest, self._lost = {}, self._world.state_lost
            self._names = {}
        for series, value in page.samples.items():
            if is_counter(series) and "data_source_id" in series:
                before = self._highest.get(series, 0.0)
                assert value >= before, f"{series} fell from {before:g} to {value:g}"
                self._highest[series] = value

    def _check_presence(self, before: Before, after: Before) -> None:
        """Have sources go where they are deleted or no longer configured, and never because of an error."""
        if before.reloads != after.reloads:
            return
        gone = before.sources - after.sources - self._world.gone
        assert not gone, f"{sorted(gone)} are not shown any more, and nobody took them away"

    def _check_source(  # noqa: PLR0913, PLR0917 (what the verdict follows from)
        self,
        process: Process,
        source_id: str,
        families: dict[str, Any],
        before: Before,
        histories: dict[str, SourceHistory],
        watched: set[float],
    ) -> tuple[float, Any]:
        account, source = self._find(source_id)
        self._check_whole(source, families)
        if COMPLETED not in families:
            return 0.0, None
        now, polled = self._world.timeline.now, families[FRESH][NOTHING]
        jobs = {name: samples for name, samples in families.items() if not name.startswith(OF_TIME)}
        if source_id in before.jobs and before.jobs[source_id][0] == polled:
            assert before.jobs[source_id][1] == jobs, f"{source.name} changed without a poll that worked"
        history = next((history for key, history in histories.items() if key.endswith(source_id)), None)
        if not self._world.is_full() and not process.has_unwritten():
            assert history, f"{source.name} is shown and was never written"
            self._check_committed(source, families, history)
        self._check_freshness(process, account, source, families)
        if history:
            self._check_totals(account, source, families, history, history.watched_since in watched)
        if self._is_trusted(account.witnesses[source.id], now) and families.get(UP, {}).get(NOTHING) == 1:
            self._check_gauges(account, source, families)
        return polled, jobs

    def _check_whole(self, source: PlannedSource, families: dict[str, Any]) -> None:
        """Have a source's series there as a whole or not at all."""
        has = {name: len(families.get(name, ())) for name in WHOLE}
        is_there = any(has.values())
        short = [name for name, least in WHOLE.items() if is_there and has[name] < least]
        assert not short, f"{source.name} is shown without all of {short}"

    def _check_committed(self, source: PlannedSource, families: dict[str, Any], history: SourceHistory) -> None:
        """Have the state file say what is shown of totals."""
        for (labels, value), kept in (
            *((item, history.completed) for item in families[COMPLETED].items()),
            *(
                ((((("kind", kind),), families[f"qbusiness_documents_{kind}_total"][NOTHING])), history.documents)
                for kind in DOCUMENT_KINDS
            ),
        ):
            name = labels[0][1]
            assert kept.get(name, 0) == value, f"{source.name}: {name} is {value:g} and {kept.get(name, 0)} is written"
        shown = {
            (dict(labels)["error_code"], dict(labels)["connector_error_code"]): value
            for labels, value in families[FAILURES].items()
            if value
        }
        assert shown == history.failures, f"{source.name}: failures are {shown} and {history.failures} is written"

    def _check_freshness(
        self, process: Process, account: Account, source: PlannedSource, families: dict[str, Any]
    ) -> None:
        """Have an answer behind each claim to have polled."""
        now, polled, witness = self._world.timeline.now, families[FRESH][NOTHING], account.witnesses[source.id]
        assert polled <= now, f"{source.name} was polled {polled - now:g} seconds from now"
        assert witness.near(polled + 30.0, 32.0), (
            f"{source.name} was not answered when it is said to have been, at {polled}"
        )
        up = families.get(UP, {}).get(NOTHING)
        limit = 2 * self._idle() + LATE
        if up == 1 and now - process.started > limit and self._before and self._before.reloads == self._world.reloads:
            assert witness.near(now - limit / 2, limit / 2), (
                f"{source.name} claims success, and nothing was answered in {limit:g} s"
            )

    def _check_totals(
        self,
        account: Account,
        source: PlannedSource,
        families: dict[str, Any],
        history: SourceHistory,
        is_whole: bool,  # noqa: FBT001 (a fact)
    ) -> None:
        """Have counted whatever was to be when the last poll worked, and nothing that did not happen."""
        now, witness = self._world.timeline.now, account.witnesses[source.id]
        if witness.looked is None:
            return
        since = truth.Watched(history.watched_since, witness.looked, is_whole)
        bounds = truth.totals(source, since, families[FRESH][NOTHING], now)
        is_trusted = self._is_trusted(witness, now)
        for (what, label), bound in bounds.items():
            if what == "completed":
                value = families[COMPLETED][("status", label),]
            elif what == "documents":
                value = families[f"qbusiness_documents_{label}_total"][NOTHING]
            else:
                value = families.get(f"{DURATIONS}_sum", {}).get((("status", label),), 0.0)
            is_lost = (what == "seconds" and witness.durations_lost) or (what == "documents" and witness.documents_lost)
            low = bound.low if is_trusted and not is_lost else 0.0
            assert low - 0.01 <= value <= bound.high + 0.01, (
                f"{source.name}: {what} {label} is {value:g}, and {bound} is true"
            )

    def _check_gauges(self, account: Account, source: PlannedSource, families: dict[str, Any]) -> None:
        """Have shown of the latest jobs what the last answers said."""
        polled, usable = families[FRESH][NOTHING], account.witnesses[source.id].usable
        first, last = (truth.state(source, moment) for moment in (polled - truth.SLACK, usable[-1]))
        if first != last:
            return  # it changed while it was being looked at
        shown = truth.State(
            running=int(families["qbusiness_sync_running"][NOTHING]),
            oldest_start=families.get("qbusiness_running_sync_start_timestamp_seconds", {}).get(NOTHING),
            last_status=next(
                (
                    labels[0][1]
                    for labels, value in families.get("qbusiness_last_completed_sync_status", {}).items()
                    if value
                ),
                None,
            ),
            last_start=families.get("qbusiness_last_completed_sync_start_timestamp_seconds", {}).get(NOTHING),
            last_success=families.get("qbusiness_last_successful_sync_timestamp_seconds", {}).get(NOTHING),
            last_indexed=families.get("qbusiness_last_indexed_sync_timestamp_seconds", {}).get(NOTHING),
        )
        assert shown == first, f"{source.name}: shown is {shown}, and {first} is true"

    # What is known.

    def _committed(self, process: Process) -> tuple[dict[str, SourceHistory], set[float]]:
        """Read what another process would find in the state file, and from when on targets are watched."""
        if self._state is None:
            self._state = sqlite3.connect(f"file:{process.state}?mode=ro", uri=True, isolation_level=None)
        rows = self._state.execute("SELECT key, totals FROM source").fetchall()
        since = self._state.execute("SELECT value FROM target WHERE key LIKE 'watched since/%'").fetchall()
        return {key: codec.load_history(totals, {}) for key, totals in rows}, {float(text) for (text,) in since}

    def _expected(self) -> list[tuple[Account, PlannedSource]]:
        targets, expected = self._world.settings["targets"], []
        for account in self._world.accounts:
            mine = [target for target in targets if target["endpoint_url"].startswith(f"http://{account.name}.")]
            named = {source["data_source_id"] for target in mine for source in target.get("data_sources", ())}
            is_found = any("discovery" in target or not target.get("data_sources") for target in mine)
            for _, _, source in account.fleet.data_sources():
                if is_found or source.id in named:
                    planned: Any = source
                    expected.append((account, planned))
        return expected

    def _find(self, source_id: str) -> tuple[Account, PlannedSource]:
        return self._world.sources[source_id]

    def _witness(self, source_id: str) -> Witness:
        account, _ = self._find(source_id)
        return account.witnesses[source_id]

    def _idle(self) -> float:
        polling = self._world.settings["polling"]
        return max(parse_duration(polling["idle_interval"]), parse_duration(polling["interval"]))

    def _is_trusted(self, witness: Witness, now: float) -> bool:
        """Tell whether a full reread has come since the last lie about a source."""
        return now > witness.lied_until + REREAD + self._idle() + SECOND_THOUGHTS
