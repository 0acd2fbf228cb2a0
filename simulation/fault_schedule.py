"""What goes wrong in a week, from a seed: the service, the network, the disk, the clock, the process, and people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from exporter.simulator.faults import FAULT_KINDS
from simulation.fleet import DAY, HOUR, MINUTE, make_source
from simulation.settings import vary
from simulation.simulated_account import MINUTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulation.simulated_account import Account
    from simulation.state import WeekState

# Answers that say something wrong, and that nobody can tell from right ones.
FIGURES = {"no_metrics", "negative_figures", "fractional_figures", "figures_in_words", "huge_figures"}
ENDS = {"end_before_start", "no_end"}
NO_JOBS = {"unknown_status", "milliseconds", "start_in_words", "no_execution_id", "no_start", "unknown_error_code"}
LIES = sorted(FIGURES | ENDS | NO_JOBS)
# Left out: "slow" is a trouble of its own here, "endless" and "huge" are of sockets, and an end in the future is
# believed for good.
LEFT_OUT = {"huge", "endless", "slow", "no_date", "in_the_future", "end_in_the_future"}
LEFT_OUT |= {"entry_again", "entry_passed_over"}  # pages shift here because jobs come and go
FAULTS = sorted(FAULT_KINDS - set(LIES) - LEFT_OUT)
OPERATIONS = (
    *(None,) * 4,
    *("ListDataSourceSyncJobs",) * 4,
    "ListApplications",
    "ListIndices",
    "GetIndex",
    "ListDataSources",
    "GetDataSource",
    "GetApplication",
    "ListTagsForResource",
)
LOOKED_AT = 1 / 3  # of troubles: scrapes cost as much as polls, and are best spent where something happens
LONGEST_DOWN = 30 * HOUR  # so that no job is forgotten by the service while nobody looks


class Operator(Protocol):
    """What the schedule does to the program, and what it has to know of it."""

    def crash_at(self, point: str, pause: float) -> None:
        """Kill the process, now or when it reaches a point, and start it again after a pause."""

    def stop(self, pause: float, *, amid_requests: bool = False) -> None:
        """Stop the process in order, now or soon after the next request, and start it again after a pause."""

    def reload(self, settings: dict[str, Any]) -> None:
        """Change the configuration."""

    def scrape_soon(self) -> None:
        """Schedule a scrape while a fault that has just begun may show."""

    def known_running(self, key: str) -> list[str]:
        """Return the jobs of a data source that the state file has as in progress."""


class FaultSchedule:
    """Makes trouble until told to stop; how much of each kind differs from seed to seed."""

    def __init__(self, state: WeekState, operator: Operator) -> None:
        self._state = state
        self._operator = operator
        self._dice = state.dice
        self._until = state.faults_until
        # The mean gap between two troubles of a kind; some weeks are calm.
        self.is_calm = self._dice.random() < 1 / 10
        for make, gap in (
            (self._fault, 8 * HOUR),
            (self._lie, 2 * DAY),
            (self._outage, 3 * DAY),
            (self._slowness, 2 * DAY),
            (self._crash, 1.5 * DAY),
            (self._restart, 2.5 * DAY),
            (self._reload, 1.5 * DAY),
            (self._clock, 3 * DAY),
            (self._disk, 3 * DAY),
            (self._fleet, 2 * DAY),
            (self._replica, 2 * DAY),
            (self._unlisting, 8 * HOUR),
        ):
            if not self.is_calm and self._dice.random() < 0.8:
                self._come(make, gap * self._dice.uniform(0.5, 2.0))

    def _come(self, make: Callable[[], None], gap: float) -> None:
        clock = self._state.clock
        moment = clock.now + self._dice.expovariate(1 / gap)

        def happen() -> None:
            self._come(make, gap)
            make()
            if self._dice.random() < LOOKED_AT:
                self._operator.scrape_soon()

        if moment < self._until:
            clock.at(moment, happen)

    def _lasting(self, most: float = 6 * HOUR) -> float:
        """Give the moment at which a trouble is over: mostly soon."""
        seconds = min(most, self._dice.choice((30.0, 10 * MINUTE, HOUR, 6 * HOUR, DAY)) * self._dice.uniform(0.2, 2.0))
        return min(self._until, self._state.clock.now + seconds)

    def _account(self) -> Account:
        return self._dice.choice(self._state.accounts)

    def _some_source(self, account: Account) -> str | None:
        sources = [source.id for _, _, source in account.fleet.data_sources()]
        return self._dice.choice(sources) if sources and self._dice.random() < 1 / 2 else None

    def _fault(self) -> None:
        account, kind, until = self._account(), self._dice.choice(FAULTS), self._lasting(DAY)
        operation, source = self._dice.choice(OPERATIONS), None
        if operation in {"ListDataSourceSyncJobs", "GetDataSource"}:
            source = self._some_source(account)
        page = self._dice.choice((None, None, 1, 2))
        times = self._dice.choice((None, None, 1, 2, 5))
        account.service.faults.add(
            kind, operation=operation, data_source_id=source, page=page, times=times, until=until
        )
        self._state.trace.note("fault", account.name, kind, operation, source, page, times, until)

    def _lie(self) -> None:
        account, kind, until = self._account(), self._dice.choice(LIES), self._lasting()
        if account.all_seen() is None:
            return  # whoever begins with a lie has nothing to hold it against
        source = self._some_source(account)
        account.add_lie(kind, source, until)
        account.lie(source, until, about_ends=kind in ENDS, about_figures=kind in FIGURES)
        self._state.trace.note("lie", account.name, kind, source, until)

    def _replica(self) -> None:
        account, now, until = self._account(), self._state.clock.now, self._lasting(DAY)
        kind, seconds = self._dice.choice(("lags", "twice", "stands still")), self._dice.uniform(5.0, MINUTES)
        if kind == "stands still":
            until = min(self._until, now + self._dice.uniform(HOUR, DAY))  # so that a full reread comes upon it
        seen = account.all_seen()
        if seen is None and kind != "twice":
            return
        account.lie(None, until)
        if kind == "lags":
            account.api.lag = seconds
        elif kind == "stands still":
            account.api.frozen_at = self._moment_of_a_sync(account, seen or now)
        else:
            if seen is not None and self._dice.random() < 1 / 2:
                seconds = now - self._moment_of_a_sync(account, seen)
            account.answer_twice(seconds, until)
        self._state.trace.note("replica", account.name, kind, seconds, account.api.frozen_at, until)
        self._state.clock.at(until, account.be_current)

    def _moment_of_a_sync(self, account: Account, since: float) -> float:
        """Give a moment after another at which a job was in progress that has long ended; the other where none was."""
        now = self._state.clock.now
        jobs = [
            job
            for _, _, source in account.fleet.data_sources()
            for job in self._state.sources[source.id][1].jobs
            if since < job.started and job.ends < now - DAY  # so that it may be forgotten by now
        ]
        job = self._dice.choice(jobs) if jobs else None
        return self._dice.uniform(job.started, job.ends) if job else since

    def _unlisting(self) -> None:
        """Have a job in progress missing from the list for hours or days, as one that is known to the program."""
        account, now = self._account(), self._state.clock.now
        running = [
            (self._state.sources[source.id][1], known)
            for application, index, source in account.fleet.data_sources()
            for known in self._operator.known_running(f"{application.id}/{index.id}/{source.id}")
        ]
        if not running:
            return
        source, job = self._dice.choice(running)
        seconds = self._dice.choice((HOUR, 12 * HOUR, 2 * DAY, 3 * DAY)) * self._dice.uniform(0.7, 1.2)
        until = min(self._until, now + seconds)
        source.unlisted[job] = until
        account.lie(source.id, until)
        self._state.trace.note("unlisted", account.name, source.id, job, until)

    def _outage(self) -> None:
        account = self._account()
        account.cut_until = self._lasting(LONGEST_DOWN)
        account.sts_works = self._dice.random() < 1 / 2
        self._state.trace.note("network cut", account.name, account.cut_until, account.sts_works)

    def _slowness(self) -> None:
        account, until = self._account(), self._lasting()
        seconds = self._dice.choice((2.0, 4.5, 15.0))
        account.service.faults.add("slow", seconds=seconds, until=until)
        self._state.trace.note("slow", account.name, seconds, until)

    def _crash(self) -> None:
        point = self._dice.choice(("now", "amid requests", "before commit", "after commit"))
        self._state.trace.note("crash to come", point)
        self._operator.crash_at(point, self._pause())

    def _restart(self) -> None:
        self._operator.stop(self._pause(), amid_requests=self._dice.random() < 1 / 2)

    def _pause(self) -> float:
        return min(
            LONGEST_DOWN, self._dice.choice((5.0, 5.0, 10 * MINUTE, 3 * HOUR, DAY)) * self._dice.uniform(0.5, 2.0)
        )

    def _reload(self) -> None:
        self._operator.reload(vary(self._dice, self._state.base_settings))

        def back() -> None:
            self._operator.reload(self._state.base_settings)

        self._state.clock.at(self._lasting(DAY), back)

    def _clock(self) -> None:
        self._state.host_clock_error = self._dice.choice((0.0, -1.0, 1.0)) * self._dice.uniform(0.0, 10 * HOUR)
        self._state.trace.note("host clock", self._state.host_clock_error)

    def _disk(self) -> None:
        self._state.disk_full_until = self._lasting()
        self._state.trace.note("disk full", self._state.disk_full_until)

    def _fleet(self) -> None:
        account = self._account()
        index = self._dice.choice(
            [index for application in account.fleet.applications for index in application.indexes]
        )
        change = self._dice.choice(("appears", "goes", "renamed", "updated", "index updated"))
        sources = index.data_sources
        now = self._state.clock.now
        if change == "appears" and account.is_believable:
            self._state.sources_added += 1
            name = f"late-{account.name}-{self._state.sources_added}"
            sources.append(make_source(self._dice, name, now, self._state.ends))
            self._state.add_source(account, sources[-1])
        elif change == "goes" and sources:
            gone = sources.pop(self._dice.randrange(len(sources)))
            self._state.removed_sources.add(gone.id)
        elif change == "renamed" and sources:
            renamed = self._dice.choice(sources)
            renamed.name, renamed.updated = f"{renamed.name}-again", now
        elif change == "updated" and sources:
            updated = self._dice.choice(sources)
            updated.status, updated.updated = self._dice.choice(("ACTIVE", "UPDATING", "FAILED")), now
        else:
            index.documents += self._dice.randint(0, 500)
            index.text_bytes += self._dice.randint(0, 10_000_000)
            index.units = self._dice.choice((index.units, self._dice.randint(1, 5)))
            account.note_figures()
        self._state.trace.note("fleet", account.name, index.name, change)
