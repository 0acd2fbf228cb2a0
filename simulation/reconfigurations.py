"""Reloads between configurations that differ in almost everything: targets, data sources, filters, labels, polling."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Protocol

from exporter.domain.units import DAY
from simulation.fault_timer import FaultTimer, ScrapeScheduler
from simulation.settings import INTERVALS, targets_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from simulation.simulated_account import SimulatedAccount
    from simulation.state import WeekState

BUCKETS = (["1m", "1h"], ["10m", "1h", "6h"])
LABELS: tuple[dict[str, str], ...] = ({}, {"team": "hr"}, {"team": "legal", "tier": "1"})
MAX_NEXT = 3  # the number of further configurations until the operator returns to the usual one


class ReloadedProgram(ScrapeScheduler, Protocol):
    """The part of the program that the schedule uses."""

    def reload(self, settings: dict[str, Any]) -> None:
        """Change the configuration."""


class Reconfigurations:
    """Schedules reloads of random configurations, followed by a return to the usual one, which watches everything.

    Any fault may be active meanwhile, because faults have their own schedules.
    """

    def __init__(self, state: WeekState, program: ReloadedProgram) -> None:
        self._state = state
        self._program = program
        self._rng = state.stream("reconfigurations")
        self._timer = FaultTimer(state, program, self._rng)
        if not state.is_calm:
            self._timer.schedule(self._reconfigure, 2 * DAY * self._rng.uniform(0.5, 2.0))

    def _reconfigure(self) -> None:
        end = self._timer.random_end(DAY)
        for _ in range(self._rng.randint(1, MAX_NEXT)):
            self._state.clock.at(self._rng.uniform(self._state.clock.now, end), self._reload)
        self._state.clock.at(end, lambda: self._program.reload(self._state.base_settings))

    def _reload(self) -> None:
        settings = other_settings(self._rng, self._state.accounts, self._state.base_settings)
        self._state.trace.note("reconfiguration", *(target["name"] for target in settings["targets"]))
        self._program.reload(settings)


def other_settings(rng: Random, accounts: list[SimulatedAccount], base: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with other targets, for some or all data sources, and other settings of polling."""
    settings = copy.deepcopy(base)
    watched = accounts if rng.random() < 4 / 5 else [rng.choice(accounts)]
    settings["targets"] = [target for account in watched for target in _Targets(rng, account, base).make()]
    rng.shuffle(settings["targets"])
    settings["polling"]["interval"], settings["polling"]["idle_interval"] = rng.choice(INTERVALS[2:])
    settings["polling"]["window"] = rng.choice(("6h", "24h", "3d"))
    settings["polling"]["concurrency"] = rng.choice((1, 3, 8))
    settings["polling"]["requests_per_second"] = rng.choice((0.2, 1.0, 5.0))
    if rng.random() < 1 / 4:
        settings["metrics"] = {"duration_buckets": rng.choice(BUCKETS)}
    return settings


class _Targets:
    """The targets of one account, with the same access to AWS as a target of the usual configuration."""

    def __init__(self, rng: Random, account: SimulatedAccount, base: dict[str, Any]) -> None:
        self._rng = rng
        self._account = account
        before = rng.choice(targets_of(base, account))
        self._access: dict[str, Any] = {
            key: before[key] for key in ("service", "region", "endpoint_url", "role_arn") if key in before
        }
        # The name may be that of another target of the same account in the usual configuration.
        self._names = rng.sample([account.name, f"{account.name}-too", f"{account.name}-a", f"{account.name}-b"], 2)

    def make(self) -> list[dict[str, Any]]:
        """Return one target or two."""
        shapes: tuple[Callable[[], list[dict[str, Any]]], ...] = (
            self._discovered,
            self._named,
            self._filtered,
            self._split,
            self._overlapping,
        )
        return self._rng.choice(shapes)()

    def _target(self, **settings: Any) -> dict[str, Any]:
        return {"name": self._names.pop(), **self._access, **settings}

    def _discovery(self, **filters: Any) -> dict[str, Any]:
        interval, labels = self._rng.choice(("15m", "1h", "6h")), self._rng.choice(([], ["team"]))
        return {"interval": interval, "tag_labels": labels, **filters}

    def _discovered(self) -> list[dict[str, Any]]:
        return [self._target(discovery=self._discovery())]

    def _named(self) -> list[dict[str, Any]]:
        named = self._sources()
        return [self._target(data_sources=named)] if named else self._discovered()

    def _filtered(self) -> list[dict[str, Any]]:
        kind = self._rng.choice(("include", "exclude"))
        return [self._target(discovery=self._discovery(**{kind: [self._glob()]}))]

    def _split(self) -> list[dict[str, Any]]:
        glob = [self._glob()]
        return [
            self._target(discovery=self._discovery(include=glob)),
            self._target(discovery=self._discovery(exclude=glob)),
        ]

    def _overlapping(self) -> list[dict[str, Any]]:
        return [*self._named(), self._target(discovery=self._discovery(include=[self._glob()]))]

    def _glob(self) -> dict[str, str]:
        """Return a filter that matches a data source before and after it is renamed."""
        if self._rng.random() < 1 / 2:
            traits = self._account.traits
            return {traits.service.root.word: self._rng.choice(traits.roots(self._account.fleet)).name}
        return {"data_source": f"*-{self._account.name}-{self._rng.randrange(3)}*"}

    def _sources(self) -> list[dict[str, Any]]:
        """Return some of the data sources, by their ids."""
        return [
            {
                **self._account.traits.ids(application, index, source),
                "labels": self._rng.choice(LABELS),
            }
            for application, index, source in self._account.fleet.data_sources()
            if self._rng.random() < 2 / 3
        ]
