"""Defects of leases, fencing, take-over and hand-over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.app.running_targets import RunningTargets
from exporter.store.postgresql import coordinator, leases
from exporter.store.postgresql.commits import Commits
from exporter.store.postgresql.coordinator import Coordinator
from exporter.store.postgresql.errors import RejectedError
from exporter.store.postgresql.partition import Partition
from exporter.store.postgresql.shared_state import SharedState

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest


def commits_without_fence(patch: pytest.MonkeyPatch) -> None:
    """Accept the commits of every replica that has a target in memory."""
    sql = "UPDATE target SET revision = revision + 1 WHERE key = ANY(%s) RETURNING key, revision"
    patch.setattr(leases, "fence", lambda transaction, _, epochs: dict(transaction.execute(sql, [list(epochs)])))


def ignores_lost_targets(patch: pytest.MonkeyPatch) -> None:
    """Keep the targets that a replica once owned, even if the database has other owners."""
    patch.setattr(Coordinator, "_compare", lambda *_: None)


def is_always_fresh(patch: pytest.MonkeyPatch) -> None:
    """Report the state as up after the lease may have ended."""
    patch.setattr(SharedState, "is_up", property(lambda _: True))


def never_takes_over(patch: pytest.MonkeyPatch) -> None:
    """Treat every owner as alive."""
    patch.setattr(leases, "find_alive", lambda _, replicas: set(replicas))


def trusts_leases_of_the_future(patch: pytest.MonkeyPatch) -> None:
    """Wait for a lease that a clock ahead has set."""
    patch.setattr(leases, "_ALIVE", "clock_timestamp() < until")


def starts_from_an_empty_state(patch: pytest.MonkeyPatch) -> None:
    """Load nothing at a take-over."""
    patch.setattr(Partition, "load", lambda *_: None)


def writes_nothing_again(patch: pytest.MonkeyPatch) -> None:
    """Continue after a failover as if the database had lost nothing."""
    patch.setattr(Partition, "rewrite", lambda _: None)


def drops_rejected_changes(patch: pytest.MonkeyPatch) -> None:
    """Continue after a rejected commit as if it was written."""
    original = Commits._commit

    def _commit(self: Commits, partitions: Sequence[Partition]) -> bool:
        try:
            return original(self, partitions)
        except RejectedError:
            for partition in partitions:
                partition.mark_committed(partition.changes(), partition.row.revision)
            return True

    patch.setattr(Commits, "_commit", _commit)


def hands_over_nothing(patch: pytest.MonkeyPatch) -> None:
    """Keep every target, even if others own fewer."""
    patch.setattr(coordinator, "choose_surplus", lambda *_: None)


def stops_no_polls_of_lost_targets(patch: pytest.MonkeyPatch) -> None:
    """Continue with targets that another replica owns."""
    original: Any = RunningTargets.follow_owners

    def follow_owners(self: Any) -> None:
        if not self.current:
            original(self)

    patch.setattr(RunningTargets, "follow_owners", follow_owners)


DEFECTS = (
    commits_without_fence,
    ignores_lost_targets,
    is_always_fresh,
    never_takes_over,
    trusts_leases_of_the_future,
    starts_from_an_empty_state,
    writes_nothing_again,
    drops_rejected_changes,
    hands_over_nothing,
    stops_no_polls_of_lost_targets,
)
