"""Hand-overs: others continue the targets of a replica immediately, without waiting for the end of its lease."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.replicas import choose_owners, without_replica
from exporter.store.postgresql import leases

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.domain.epoch_memory import EpochMemory
    from exporter.domain.replicas import TargetRow
    from exporter.store.postgresql.session import Transaction


def leave(transaction: Transaction, replica: str, epochs: EpochMemory) -> None:
    """Hand over the targets of a replica to the other live replicas, and delete its lease.

    These are all targets that it owns in the database, including a target that another replica has handed over and that
    is not loaded yet. If another session has locked a row, the row stays, and another replica acquires the target
    later. A target whose epoch has fallen is left to the owner that asserts it.
    """
    members = leases.read_members(transaction)
    owned = [row.key for row in members.targets.values() if row.owner == replica and not epochs.has_fallen(row)]
    locked = leases.lock_targets(transaction, owned)
    successors = choose_owners(without_replica(members, replica), locked)
    for key in sorted(locked):
        leases.hand_over(transaction, members.targets[key], successors.get(key))
    leases.delete_replica(transaction, replica)


def pass_on(transaction: Transaction, rows: Sequence[TargetRow], successors: Mapping[str, str]) -> None:
    """Hand over targets, each to its successor if it has one."""
    for row in rows:
        leases.hand_over(transaction, row, successors.get(row.key))
