"""The faults of a week (service, network, disk, clock and process), and the changes by operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from exporter.domain.service import Use
from exporter.domain.units import DAY, HOUR, MINUTE
from exporter.simulator.faults import FAULT_KINDS
from simulation.fault_timer import FaultTimer, ScrapeScheduler
from simulation.fleet import LISTED_FOR, make_source
from simulation.settings import NAME_SUFFIX, vary
from simulation.simulated_account import MAX_FIRST_POLL_AGE
from simulation.state import MAX_CLOCK_ERROR

if TYPE_CHECKING:
    from exporter.simulator.fleet import SimulatedIndex
    from simulation.simulated_account import SimulatedAccount
    from simulation.state import WeekState

# Faults with plausible but wrong responses, which no exporter can detect.
WRONG_DOCUMENTS = {"no_metrics", "negative_figures", "fractional_figures", "figures_in_words", "huge_figures"}
WRONG_DOCUMENTS |= {"metrics_text", "metrics_list"}
WRONG_ENDS = {"end_before_start", "no_end"}
WRONG_JOBS = {"unknown_status", "milliseconds", "start_in_words", "no_execution_id", "no_start", "unknown_error_code"}
WRONG_JOBS |= {"entry_text", "status_number", "start_object", "error_text"}
WRONG_DATA = sorted(WRONG_DOCUMENTS | WRONG_ENDS | WRONG_JOBS)
# "slow" is a separate fault here, "huge" and "endless" need sockets, and the exporter stores an end in the future.
LEFT_OUT = {"huge", "endless", "slow", "no_date", "in_the_future", "end_in_the_future"}
LEFT_OUT |= {"entry_again", "entry_passed_over"}  # pages already shift, because jobs start and leave the list
DETECTABLE = sorted(FAULT_KINDS - set(WRONG_DATA) - LEFT_OUT)
MAX_DOWNTIME = 30 * HOUR  # short enough that the service still lists every job when the program is back


class Operator(ScrapeScheduler, Protocol):
    """The part of the program that the schedule uses."""

    def crash_at(self, point: str, pause: float) -> None:
        """Kill the process, now or when it reaches a point, and start it again after a pause."""

    def stop(self, pause: float, *, during_request: bool = False) -> None:
        """Stop the process cleanly, now or soon after the next request, and start it again after a pause."""

    def reload(self, settings: dict[str, Any]) -> None:
        """Change the configuration."""

    def known_unfinished(self, key: str) -> list[str]:
        """Return the jobs of a data source without an end in the state file, listed or not."""


class FaultSchedule:
    """Schedules faults until the end of the faulty part of the week. Their rates depend on the seed."""

    def __init__(self, state: WeekState, operator: Operator) -> None:
        self._state = state
        self._operator = operator
        self._rng = state.rng
        self._until = state.faults_until
        self._timer = FaultTimer(state, operator, self._rng)
        self.is_calm = self._rng.random() < 1 / 10
        # Each fault, and the mean time between two faults of its kind.
        for inject, gap in (
            (self._service_fault, 8 * HOUR),
            (self._wrong_data, 2 * DAY),
            (self._outage, 3 * DAY),
            (self._slowness, 2 * DAY),
            (self._crash, 1.5 * DAY),
            (self._restart, 2.5 * DAY),
            (self._reload, 1.5 * DAY),
            (self._host_clock, 3 * DAY),
            (self._full_disk, 3 * DAY),
            (self._fleet_change, 2 * DAY),
            (self._stale_replica, 2 * DAY),
            (self._missing_job, 8 * HOUR),
        ):
            if not self.is_calm and self._rng.random() < 0.8:
                self._timer.schedule(inject, gap * self._rng.uniform(0.5, 2.0))

    def _account(self) -> SimulatedAccount:
        return self._rng.choice(self._state.accounts)

    def _one_source_or_all(self, account: SimulatedAccount) -> str | None:
        sources = [source.id for _, _, source in account.fleet.data_sources()]
        return self._rng.choice(sources) if sources and self._rng.random() < 1 / 2 else None

    # Faults of the service.

    def _service_fault(self) -> None:
        account, kind, until = self._account(), self._rng.choice(DETECTABLE), self._timer.random_end(DAY)
        traits, source = self._state.traits, None
        operation = self._rng.choice((*(None,) * 4, *(traits.sync_jobs,) * 4, *traits.fault_operations))
        if operation in {traits.sync_jobs, traits.service.action(Use.SOURCE)}:
            source = self._one_source_or_all(account)
        page = self._rng.choice((None, None, 1, 2))
        times = self._rng.choice((None, None, 1, 2, 5))
        account.service.faults.add(
            kind, operation=operation, data_source_id=source, page=page, times=times, until=until
        )
        self._state.trace.note("fault", account.name, kind, operation, source, page, times, until)

    def _wrong_data(self) -> None:
        account, kind, until = self._account(), self._rng.choice(WRONG_DATA), self._timer.random_end()
        if account.responses.all_polled_since() is None:
            return  # the exporter cannot know that the data of a first poll is wrong
        if kind == "unknown_status" and account.is_returning:
            return  # the exporter would need days to find the ends of hundreds of jobs
        source = self._one_source_or_all(account)
        account.add_wrong_data(kind, source, until)
        account.responses.distrust(
            source, until, about_ends=kind in WRONG_ENDS, about_documents=kind in WRONG_DOCUMENTS
        )
        self._state.trace.note("wrong data", account.name, kind, source, until)

    def _stale_replica(self) -> None:
        account, now, until = self._account(), self._state.clock.now, self._timer.random_end(DAY)
        kind = self._rng.choice(("lagging", "duplicated", "frozen"))
        seconds = self._rng.uniform(5.0, MAX_FIRST_POLL_AGE)
        if kind == "frozen":
            until = min(self._until, now + self._rng.uniform(HOUR, DAY))  # long enough for a full reread
        polled = account.responses.all_polled_since()
        if polled is None and kind != "duplicated":
            return
        account.responses.distrust(None, until)
        if kind == "lagging":
            account.api.lag = seconds
        elif kind == "frozen":
            account.api.frozen_at = self._time_of_old_job(account, polled or now)
        else:
            if polled is not None and self._rng.random() < 1 / 2:
                seconds = now - self._time_of_old_job(account, polled)
            account.add_duplicates(seconds, until)
        self._state.trace.note("stale replica", account.name, kind, seconds, account.api.frozen_at, until)
        self._state.clock.at(until, account.end_staleness)

    def _time_of_old_job(self, account: SimulatedAccount, since: float) -> float:
        """Return a time at which a job was in progress that ended over a day ago; `since` without one.

        The job started after `since`. The exporter may have evicted it.
        """
        now = self._state.clock.now
        jobs = [
            job
            for _, _, source in account.fleet.data_sources()
            for job in self._state.sources[source.id][1].jobs
            if since < job.started and job.ends < now - DAY
        ]
        job = self._rng.choice(jobs) if jobs else None
        return self._rng.uniform(job.started, job.ends) if job else since

    def _missing_job(self) -> None:
        """Remove a job in progress, which the program knows, from its list for hours or days.

        It is listed again days before it is too old for the list, because the program must see its end. For up to a day
        after that, a stale replica may return the list without the job.
        """
        account, now = self._account(), self._state.clock.now
        running = [
            (self._state.sources[source.id][1], known)
            for application, index, source in account.fleet.data_sources()
            for known in self._operator.known_unfinished(self._state.traits.key(application, index, source))
        ]
        if not running:
            return
        source, job = self._rng.choice(running)
        seconds = self._rng.choice((HOUR, 12 * HOUR, 2 * DAY, 3 * DAY)) * self._rng.uniform(0.7, 1.2)
        started = next(planned.started for planned in source.jobs if planned.execution_id == job)
        until = min(self._until, now + seconds, started + LISTED_FOR - 2 * DAY)
        source.unlisted[job] = until
        account.responses.distrust(source.id, until)
        self._state.trace.note("missing job", account.name, source.id, job, until)

    # Faults of the network, the host and the process.

    def _outage(self) -> None:
        account = self._account()
        account.cut_until = self._timer.random_end(MAX_DOWNTIME)
        account.sts_works = self._rng.random() < 1 / 2
        self._state.trace.note("outage", account.name, account.cut_until, account.sts_works)

    def _slowness(self) -> None:
        account, until = self._account(), self._timer.random_end()
        seconds = self._rng.choice((2.0, 4.5, 15.0))
        account.service.faults.add("slow", seconds=seconds, until=until)
        self._state.trace.note("slow responses", account.name, seconds, until)

    def _crash(self) -> None:
        point = self._rng.choice(("now", "during a request", "before commit", "after commit"))
        self._state.trace.note("crash scheduled", point)
        self._operator.crash_at(point, self._downtime())

    def _restart(self) -> None:
        self._operator.stop(self._downtime(), during_request=self._rng.random() < 1 / 2)

    def _downtime(self) -> float:
        usual = self._rng.choice((5.0, 5.0, 10 * MINUTE, 3 * HOUR, DAY))
        return min(MAX_DOWNTIME, usual * self._rng.uniform(0.5, 2.0))

    def _host_clock(self) -> None:
        error = self._rng.choice((0.0, -1.0, 1.0)) * self._rng.uniform(0.0, MAX_CLOCK_ERROR)
        if not all(account.has_correct_dates for account in self._state.accounts):
            return  # no exporter can know which of two wrong clocks to correct
        self._state.host_clock_error = min(error, self._state.max_clock_ahead())
        self._state.trace.note("host clock", self._state.host_clock_error)

    def _full_disk(self) -> None:
        self._state.disk_full_until = self._timer.random_end()
        self._state.trace.note("disk full", self._state.disk_full_until)

    # Changes by operators.

    def _reload(self) -> None:
        self._operator.reload(vary(self._rng, self._state.base_settings))
        self._state.clock.at(self._timer.random_end(DAY), lambda: self._operator.reload(self._state.base_settings))

    def _fleet_change(self) -> None:
        account = self._account()
        index = self._rng.choice([index for application in account.fleet.applications for index in application.indexes])
        change = self._rng.choice(("added", "removed", "renamed", "updated", "index updated"))
        sources, now = index.data_sources, self._state.clock.now
        if change == "added" and account.has_current_data:
            self._state.sources_added += 1
            name = f"late-{account.name}-{self._state.sources_added}"
            sources.append(make_source(self._rng, self._state.traits, name, now, self._state.ends))
            if self._state.sources_added % 2:  # half of them are new, and the rest have a history
                sources[-1].created = now
            self._state.add_source(account, sources[-1])
        elif change == "removed" and sources:
            removed = sources.pop(self._rng.randrange(len(sources)))
            self._state.removed_sources.add(removed.id)
        elif change == "renamed" and sources:
            renamed = self._rng.choice(sources)
            renamed.name, renamed.updated = f"{renamed.name}{NAME_SUFFIX}", now
        elif change == "updated" and sources:
            updated = self._rng.choice(sources)
            updated.status, updated.updated = self._rng.choice(("ACTIVE", "UPDATING", "FAILED")), now
        else:
            self._resize(index)
            account.responses.record_indexes()
        self._state.trace.note("fleet change", account.name, index.name, change)

    def _resize(self, index: SimulatedIndex) -> None:
        index.documents += self._rng.randint(0, 500)
        index.text_bytes += self._rng.randint(0, 10_000_000)
        index.units = self._rng.choice((index.units, self._rng.randint(1, 5)))
        statuses = self._state.traits.simulated.container_statuses
        if len(statuses) > 1:
            index.status, index.updated = self._rng.choice(statuses), self._state.clock.now
