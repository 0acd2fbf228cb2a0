"""The environments that the cells of the matrix run in, and the test of one cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.units import HOUR
from simulation import services
from tests.support.faults.environment import BEGIN, Environment
from tests.support.faults.runner import DISCOVERY_RECOVERY, CellRun
from tests.support.faults.sdk import patch_sdk
from tests.support.simulated_target import timeout_for

if TYPE_CHECKING:
    import pytest

    from simulation.services import ServiceTraits
    from tests.support.faults.matrix import Cell

CELLS_PER_ENVIRONMENT = 12


class EnvironmentPool:
    """Environments that several cells share one after the other, because the start takes most of a cell's time."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, str, ServiceTraits], tuple[Environment, int]] = {}

    def get(self, mode: str, timeout: str, traits: ServiceTraits) -> Environment | None:
        """Return a healthy environment, if there is one."""
        environment, _ = self._running.get((mode, timeout, traits), (None, 0))
        return environment

    def put(self, environment: Environment, *, is_reusable: bool) -> None:
        """Keep a healthy environment for the next cells, or stop it."""
        key = environment.mode, environment.timeout, environment.traits
        _, used = self._running.get(key, (environment, 0))
        if used < CELLS_PER_ENVIRONMENT and is_reusable:
            self._running[key] = (environment, used + 1)
        else:
            self.discard(environment)

    def discard(self, environment: Environment) -> None:
        """Stop an environment."""
        self._running.pop((environment.mode, environment.timeout, environment.traits), None)
        environment.stop()


def run_cell(cell: Cell, monkeypatch: pytest.MonkeyPatch, pool: EnvironmentPool) -> None:
    """Test a cell of the matrix."""
    kind = cell.operation.mode, timeout_for(cell.fault.kind), services.ALL[cell.operation.service.name]
    if cell.operation.is_called_at_start:
        for limit in ({"times": 1}, {"until": BEGIN + HOUR}):
            with Environment(*kind) as environment:
                patch_sdk(monkeypatch, environment)
                CellRun(cell, environment).run_from_start(**limit)
        return
    running = pool.get(*kind)
    environment = running or Environment(*kind)
    patch_sdk(monkeypatch, environment)
    run = CellRun(cell, environment)
    try:
        if running is None:
            environment.service.start()
            environment.start()
            environment.run_until_healthy(DISCOVERY_RECOVERY)
        run.run()
    except BaseException:
        pool.discard(environment)
        raise
    pool.put(environment, is_reusable=not cell.fault.loses_durations and cell.operation.effect != "outcomes")
