"""The end of a replica: its targets continue on others at once, without waiting for its lease to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.replicas import choose_owners, without_replica
from exporter.store.postgresql import leases

if TYPE_CHECKING:
    from exporter.domain.epoch_memory import EpochMemory
    from exporter.store.postgresql.session import Transaction


def leave(transaction: Transaction, replica: str, epochs: EpochMemory) -> None:
    """Hand over the targets of a replica to those that are alive now, and delete its lease.

    These are all targets that it owns in the database. Another replica may have handed over one that is not loaded here
    yet. A row that another session has locked stays, and is acquired by another replica once it is free. A target whose
    epoch fell is left to the owner that asserts it.
    """
    members = leases.read_members(transaction)
    owned = [row.key for row in members.targets.values() if row.owner == replica and not epochs.has_fallen(row)]
    locked = leases.lock_targets(transaction, owned)
    successors = choose_owners(without_replica(members, replica), locked)
    for key in sorted(locked):
        leases.hand_over(transaction, members.targets[key], successors.get(key))
    leases.delete_replica(transaction, replica)
