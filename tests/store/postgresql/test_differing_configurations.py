"""Replicas whose configurations differ, during a rollout or by mistake."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from tests.support.stepped_replica import SteppedReplica, key, target

if TYPE_CHECKING:
    from tests.support.postgresql import PostgreSqlServer

BOTH = (target(1), target(2))
OWNER = f"SELECT owner, epoch FROM target WHERE key = '{key(2)}'"  # noqa: S608 (a constant)


def test_a_replica_that_lacks_a_target_leaves_it_to_the_other(postgresql: PostgreSqlServer, database: str) -> None:
    """Configurations differ during a rollout, which is logged."""
    with SteppedReplica(database, "a", target(1)) as a, SteppedReplica(database, "b", *BOTH) as b:
        with capture_logs() as logs:
            a.beat()
            assert b.beat() == {key(2)}
        warnings = [line for line in logs if line["log_level"] == "warning"]
        assert [(line["event"], line["targets"]) for line in warnings] == [
            ("replicas have different targets or settings configured", [key(2)])
        ]
        b.coordinator.keys.configured = (target(1),)
        b.beat()
        assert (b.owned, postgresql.execute(OWNER, database)) == (set(), [(None, 2)])


def test_a_reload_that_makes_configurations_differ_is_logged(database: str) -> None:
    """The replicas are the same as before. The difference is logged once, until it changes."""
    with SteppedReplica(database, "a", target(1)) as a, SteppedReplica(database, "b", target(1)) as b:
        for replica in (a, b, a):
            replica.beat()
        with capture_logs() as logs:
            b.coordinator.keys.configured = BOTH
            for replica in (b, a, b, a):
                replica.beat()
        assert [line["targets"] for line in logs if line["log_level"] == "warning"] == [[key(2)]] * 2


def test_replicas_with_different_settings_for_one_target_are_reported(database: str) -> None:
    """The owner polls what its own filter selects, so the difference must not be silent. It is reported by both."""
    other = replace(target(1), name="other name")
    filtered = replace(target(1), settings="other filter")
    for configured in ((other,), (filtered,), (target(1), other)):
        with SteppedReplica(database, "a", target(1)) as a, SteppedReplica(database, "b", *configured) as b:
            with capture_logs() as logs:
                for replica in (a, b, a):
                    replica.beat()
            warned = "replicas have different targets or settings configured"
            assert [line["targets"] for line in logs if line["event"] == warned] == [[key(1)]] * 2
            b.coordinator.keys.configured = (target(1),)
            b.beat()
            a.beat()
            assert a.coordinator.members.differing_targets() == []
            a.coordinator.leave()
            b.coordinator.leave()
