"""Whether the process is healthy while one of its dependencies does not respond, on virtual time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from exporter.domain.units import HOUR, MINUTE
from simulation.process import Process
from simulation.state import WeekState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class WorkingDisk:
    """A disk that accepts every write."""

    def is_full(self) -> bool:
        """Return that it is not full."""
        return False

    def at_commit(self, point: str, keys: set[str]) -> None:
        """Ignore a point of a commit."""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[WeekState]:
    """Yield the accounts and the configuration of a seed, with no fault."""
    with capture_logs():
        yield WeekState(1, tmp_path)


@pytest.mark.parametrize("has_credentials", [False, True])
def test_the_process_is_healthy_while_a_credential_helper_hangs(state: WeekState, *, has_credentials: bool) -> None:
    """A restart would not help. After hours, all data sources are polled as soon as the credential process responds."""
    process = Process(state, WorkingDisk(), 1)
    if has_credentials:
        state.clock.run(state.clock.now + 10 * MINUTE)
    returns_at = state.clock.now + 6 * HOUR
    for account in state.accounts:
        account.credentials.hang(returns_at, math.inf)
        account.credentials.rotate()
    reasons = set()
    while state.clock.now < returns_at - MINUTE:
        state.clock.run(state.clock.now + MINUTE)
        reasons.add(process.exporter.unhealthy())
    assert reasons == {None}
    assert not any(target.reachability.is_up for target in process.exporter.targets)
    state.clock.run(returns_at + 5 * MINUTE)
    assert process.exporter.unhealthy() is None
    assert process.exporter.unready() is None
    assert all(target.reachability.is_up for target in process.exporter.targets)
    process.kill()
