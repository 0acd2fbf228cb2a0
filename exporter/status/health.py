"""The health of the exporter and of its targets, which `app` passes for each response."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from exporter.status.formatting import format_duration
from exporter.status.problems import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.domain.replicas import ReplicaStatus
    from exporter.domain.unreadable import UnreadableResource

MAX_LAG = 300.0  # seconds, as in the alert QBusinessPollsLate
MAX_UNREADABLE = 50  # resources in the JSON, because a denied operation may affect thousands of data sources


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """The health of one target, with the fields of the JSON API.

    None means that the value is not known yet, except for `stalled`: there it means that polling works. `last_error` is
    the error of the last request that failed or was denied, empty while the target is up. `data_sources` is the number
    of watched data sources, and `polled` is the number of those that were polled since the start. Rates are in requests
    per second: in the last minute, allowed now, and configured. `discovered_at` and `now` are times on AWS's clock.
    `unreadable` are the resources that discovery could not read, and `uncounted` are the data sources whose documents
    could not be counted. `events_up` is true if the events queue can be read, and None without a queue. `events_error`
    is the reason why the queue cannot be read, empty before the first attempt.
    """

    name: str
    service: str
    account: str | None
    region: str
    is_up: bool | None
    last_error: str
    now: float
    data_sources: int
    polled: int
    polls: int
    poll_failures: int
    lag: float
    request_rate: float
    request_rate_allowed: float
    request_rate_limit: float
    discovers: bool
    discovery_succeeded: bool | None
    discovered_at: float | None
    stalled: str | None = None
    unreadable: tuple[UnreadableResource, ...] = ()
    uncounted: tuple[UnreadableResource, ...] = ()
    events_up: bool | None = None
    events_error: str = ""

    def problems(self) -> Iterator[Problem]:
        """Yield the problems of the target, with the names of the alerts that report them."""
        if self.is_up is False:
            error = f" ({self.last_error})" if self.last_error else ""
            text = (
                f"Target {self.name} is unreachable or denies access{error}: "
                "its data sources keep their last known values."
            )
            yield Problem("QBusinessTargetDown", Severity.CRITICAL, text)
        if self.is_up and self.discovery_succeeded and self.data_sources == 0:
            text = (
                f"Target {self.name} has no data sources: nothing is monitored. Check its account, region and filters."
            )
            yield Problem("QBusinessNoDataSources", Severity.WARNING, text)
        if self.stalled:
            text = f"Target {self.name}: {self.stalled}. Its data sources keep their last known values."
            yield Problem(None, Severity.CRITICAL, text)
        elif self.lag > MAX_LAG:
            text = (
                f"Polls of target {self.name} are {format_duration(self.lag)} late. "
                "Most often, the request rate limit is too low."
            )
            yield Problem("QBusinessPollsLate", Severity.WARNING, text)
        if self.discovery_succeeded is False:
            text = f"Discovery of target {self.name} {self._failure()}: new data sources may be missing."
            yield Problem("QBusinessDiscoveryFailing", Severity.WARNING, text)
        if self.uncounted and self.is_up:
            text = (
                f"Target {self.name} could not read {_first_and_count(self.uncounted)}: "
                "they keep their last complete counts, if any."
            )
            yield Problem(None, Severity.WARNING, text)
        if self.events_error:
            text = (
                f"The events queue of target {self.name} cannot be read ({self.events_error}): "
                "the exporter polls idle data sources as often as it would without a queue, "
                "and notices manually started syncs later."
            )
            yield Problem("QBusinessEventsDown", Severity.WARNING, text)

    def _failure(self) -> str:
        """Return the resources that discovery could not read, as part of a sentence."""
        return f"could not read {_first_and_count(self.unreadable)}" if self.unreadable else "is incomplete"

    def to_json(self) -> dict[str, Any]:
        """Return the target as an object of the JSON API, with the first resources that could not be read."""
        return {
            **asdict(
                replace(self, unreadable=self.unreadable[:MAX_UNREADABLE], uncounted=self.uncounted[:MAX_UNREADABLE])
            ),
            "unreadable_count": len(self.unreadable),
            "uncounted_count": len(self.uncounted),
        }


def _first_and_count(resources: tuple[object, ...]) -> str:
    """Return the first resource, and the number of further ones, as part of a sentence."""
    others = len(resources) - 1
    return f"{resources[0]}{f' and {others} more' if others else ''}"


@dataclass(frozen=True, slots=True)
class ExporterHealth:
    """The health of the exporter. Times are on the host's clock; `unready` is why the first pass has not ended."""

    version: str
    revision: str
    now: float
    started_at: float
    unready: str | None
    targets: tuple[TargetHealth, ...]
    state_path: str
    state_is_written: bool
    config_file: str
    config_is_current: bool
    config_loaded_at: float
    replicas: tuple[ReplicaStatus, ...] = ()
    differing_targets: tuple[str, ...] = ()
    """The keys of targets that the replicas do not have with the same settings."""
    unreadable_targets: Mapping[str, str] = field(default_factory=dict)
    """The errors of the targets that are not polled because their state cannot be read."""

    def problems(self) -> list[Problem]:
        """Return the problems of the exporter and its targets, the most severe first."""
        found = [problem for target in self.targets for problem in target.problems()]
        for target, error in sorted(self.unreadable_targets.items()):
            text = f"Target {target} is not polled: its state in {self.state_path} cannot be read ({error})."
            found.append(Problem("QBusinessTargetNotPolled", Severity.CRITICAL, text))
        if self.differing_targets:
            text = (
                f"The configurations of the replicas differ in target {_first_and_count(self.differing_targets)}: "
                "the owner of the target polls only what its own configuration selects. "
                "Configure all replicas in the same way."
            )
            found.append(Problem(None, Severity.WARNING, text))
        if not self.state_is_written:
            text = (
                f"State writes to {self.state_path} are failing: "
                "a restart loses what was counted since the last successful write."
            )
            found.append(Problem("QBusinessStateNotWritten", Severity.WARNING, text))
        if not self.config_is_current:
            text = "Configuration reload failed, keeping the previous configuration: see the log for the errors."
            found.append(Problem("QBusinessConfigReloadFailed", Severity.WARNING, text))
        return sorted(found, key=lambda problem: list(Severity).index(problem.severity))
