"""Counters that a replica has exposed without the database: it exposes no lower ones later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.domain.replicas import OUTAGE_GRACE
from exporter.errors import ProviderError, Reason
from tests.support.builders import NOON, make_job
from tests.support.poller_rig import PollerRig
from tests.support.stepped_replica import SteppedReplica, key, target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.builders import FakeClock
    from tests.support.postgresql import PostgreSqlServer

LAPSE = "UPDATE replica SET until = clock_timestamp() - interval '1 ms' WHERE id = '{}'"
NOTHING = -1
JOBS = [make_job(f"j{number}", "FAILED", started=NOON + 100 * number, lasted=10) for number in range(6)]


def poll(rig: PollerRig, seconds: float, jobs: int) -> int:
    """Poll after some seconds, when AWS lists some jobs; return the number of jobs that are exposed."""
    rig.advance(seconds)
    rig.provider.jobs = JOBS[:jobs]
    rig.poll()
    return exposed(rig)


def exposed(rig: PollerRig) -> int:
    """Return the number of jobs in the last snapshot."""
    history = rig.publisher.sources[-1].history if rig.publisher.sources else None
    return sum(history.completed.values()) if history else NOTHING


@pytest.fixture
def replicas(
    clock: FakeClock, postgresql: PostgreSqlServer, database: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[SteppedReplica, SteppedReplica]]:
    """Yield a replica that has exposed five jobs, two of them from memory, and its successor."""
    with SteppedReplica(database, "a", target(1)) as a, SteppedReplica(database, "b", target(1)) as b:
        a.beat()
        rig = PollerRig(clock, a.partition())
        rig.poll()
        assert poll(rig, 700, jobs=3) == 3
        with monkeypatch.context() as cut:
            cut.setattr(a, "write", lambda *_, **__: None)
            assert poll(rig, 60, jobs=5) == 5
        postgresql.execute(LAPSE.format("a"), database)
        assert (b.beat(), a.beat()) == ({key(1)}, set())
        yield a, b


def take_over(replica: SteppedReplica, other: str, postgresql: PostgreSqlServer, database: str) -> None:
    """End the lease of a replica, whose target another one then takes over."""
    postgresql.execute(LAPSE.format(other), database)
    replica.now += OUTAGE_GRACE
    assert replica.beat() == {key(1)}


def test_a_target_that_comes_back_is_exposed_after_a_poll(
    replicas: tuple[SteppedReplica, SteppedReplica], clock: FakeClock, postgresql: PostgreSqlServer, database: str
) -> None:
    """Its saved counts are lower than those that the replica has exposed."""
    a, _ = replicas
    take_over(a, "b", postgresql, database)
    rig = PollerRig(clock, a.partition())
    assert exposed(rig) == NOTHING
    assert poll(rig, 60, jobs=6) == 6


def test_a_target_that_was_polled_meanwhile_is_exposed_immediately(
    replicas: tuple[SteppedReplica, SteppedReplica], clock: FakeClock, postgresql: PostgreSqlServer, database: str
) -> None:
    """The successor has counted the jobs too, and saved this."""
    a, b = replicas
    successor = PollerRig(clock, b.partition())
    assert exposed(successor) == 3
    assert poll(successor, 60, jobs=5) == 5
    take_over(a, "b", postgresql, database)
    assert exposed(PollerRig(clock, a.partition())) == 5


def test_a_failed_poll_of_a_target_that_comes_back_is_exposed(
    replicas: tuple[SteppedReplica, SteppedReplica], clock: FakeClock, postgresql: PostgreSqlServer, database: str
) -> None:
    """The source must not be missing for as long as its polls fail."""
    a, _ = replicas
    take_over(a, "b", postgresql, database)
    rig = PollerRig(clock, a.partition())
    rig.provider.error = ProviderError(Reason.TIMEOUT, "slow")
    assert poll(rig, 60, jobs=6) == 3
    assert rig.publisher.sources[-1].poll_succeeded is False
