"""How the exporter itself is doing, as values that `cli` fills in and nobody waits for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.status.formatting import format_duration
from exporter.status.problems import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

LATE = 300.0  # seconds, as QBusinessPollsLate has it


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """How one target is doing.

    None is what is not known yet. `trouble` is what the last refused request came to; `data_sources` are those watched,
    `polled` those of them that were polled since the start. Rates are requests a second: within the last minute,
    allowed now, and configured. `discovered_at` is on AWS's clock, and so is `now`.
    """

    name: str
    account: str | None
    region: str
    is_up: bool | None
    trouble: str
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

    def problems(self) -> Iterator[Problem]:
        """Give what is wrong with it, by the alerts that say so."""
        if self.is_up is False:
            why = f" ({self.trouble})" if self.trouble else ""
            text = (
                f"Target {self.name} cannot be reached, or denies access{why}: its data sources are shown as of before."
            )
            yield Problem("QBusinessTargetDown", Severity.CRITICAL, text)
        if self.stalled:
            text = f"Target {self.name}: {self.stalled}. What is shown of it is as of before."
            yield Problem(None, Severity.CRITICAL, text)
        elif self.lag > LATE:
            text = f"Polls of target {self.name} are {format_duration(self.lag)} late: the request budget is too small."
            yield Problem("QBusinessPollsLate", Severity.WARNING, text)
        if self.discovery_succeeded is False:
            text = f"Target {self.name} cannot be looked through completely: data sources may be missing."
            yield Problem("QBusinessDiscoveryFailing", Severity.WARNING, text)


@dataclass(frozen=True, slots=True)
class ExporterHealth:
    """How the exporter is doing; times are the host's. `unready` says why the first pass has not ended."""

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

    def problems(self) -> list[Problem]:
        """Give what is wrong with it, the worst first."""
        found = [problem for target in self.targets for problem in target.problems()]
        if not self.state_is_written:
            text = f"State cannot be written to {self.state_path}: what is counted now is lost with a restart."
            found.append(Problem("QBusinessStateNotWritten", Severity.WARNING, text))
        if not self.config_is_current:
            text = (
                f"The changed configuration {self.config_file} has problems (see the log): the one before is in force."
            )
            found.append(Problem("QBusinessConfigReloadFailed", Severity.WARNING, text))
        return sorted(found, key=lambda problem: list(Severity).index(problem.severity))
