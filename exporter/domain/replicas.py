"""Replicas that share targets through a database: which replica owns which target, and for how long.

A replica has one lease, which it renews at an interval. The row of a target names its owner, and has an epoch, which
increases with each change of the owner. Only the owner with the current epoch can commit, so the database refuses a
late write by an earlier owner.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

LEASE_SECONDS = 15.0
BEAT_INTERVAL = 3.0  # seconds between two renewals of the lease
RETRY_INTERVAL = 1.0  # seconds between two attempts while the database is unreachable
OUTAGE_GRACE = 10.0  # seconds for which targets of others are left alone after an outage of the database
FIRST_CHOICE_TIME = 6.0  # seconds for which the others leave a free target to the replica that should acquire it
MIN_STABLE_BEATS = 2  # beats with the same replicas before a target is handed over to balance them
MIN_SURPLUS = 2  # a replica hands over a target if it has at least this many more than another one


@dataclass(frozen=True, slots=True)
class Replica:
    """A process that shares targets: its name and address for readers, and its configured targets.

    `targets` has a digest of the settings of each target, by the key of the target.
    """

    id: str
    name: str
    address: str = ""
    targets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TargetRow:
    """The row of a target: the id of its owner, None without one, and the numbers that order the writes.

    `epoch` grows with each change of the owner, and `revision` with each commit.
    """

    key: str
    owner: str | None
    epoch: int
    revision: int


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """A live replica for readers: its name, the address of its pages, and the targets that it owns."""

    name: str
    address: str
    is_this: bool
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Membership:
    """The live replicas by id and all targets by key, as read from the database."""

    replicas: Mapping[str, Replica] = field(default_factory=dict)
    targets: Mapping[str, TargetRow] = field(default_factory=dict)

    def owner(self, key: str) -> Replica | None:
        """Return the live owner of a target."""
        row = self.targets.get(key)
        return self.replicas.get(row.owner or "") if row else None

    def status(self, this: str) -> tuple[ReplicaStatus, ...]:
        """Return the live replicas by name, with the keys of their targets; `this` is the id of one of them."""
        owned: dict[str, list[str]] = {id_: [] for id_ in self.replicas}
        for row in self.targets.values():
            owned.get(row.owner or "", []).append(row.key)
        replicas = sorted(self.replicas.values(), key=lambda replica: (replica.name, replica.id))
        return tuple(
            ReplicaStatus(each.name, each.address, each.id == this, tuple(sorted(owned[each.id]))) for each in replicas
        )

    def configured(self) -> frozenset[str]:
        """Return the targets in the configuration of any live replica."""
        return frozenset().union(*(replica.targets.keys() for replica in self.replicas.values()))

    def differing_targets(self) -> list[str]:
        """Return the targets that some live replicas do not have, or have with other settings.

        Example: two replicas have a target of the same account, each with another filter. The owner polls the data
        sources of its own filter, so no replica polls those of the other one.
        """
        targets = [replica.targets for replica in self.replicas.values()]
        return sorted(key for key in self.configured() if len({each.get(key) for each in targets}) > 1)

    def loads(self) -> Counter[str]:
        """Return how many targets each live replica owns."""
        owners = (row.owner for row in self.targets.values() if row.owner)
        return Counter(owner for owner in owners if owner in self.replicas)


def choose_owners(members: Membership, keys: Iterable[str]) -> dict[str, str]:
    """Choose a replica for each target that has a candidate.

    A target goes to the live replica that owns the fewest targets, among those with the target in their configuration.
    A hash of both decides ties, so that all replicas make the same choice.
    """
    loads, chosen = members.loads(), {}
    for key in sorted(keys):
        candidates = [replica.id for replica in members.replicas.values() if key in replica.targets]
        if candidates:
            chosen[key] = min(candidates, key=lambda id_: (loads[id_], _rank(key, id_)))
            loads[chosen[key]] += 1
    return chosen


def without_owner(members: Membership) -> set[str]:
    """Return the configured targets that no live replica owns."""
    return {key for key in members.configured() if members.owner(key) is None}


class FreeTargets:
    """The targets without an owner, and the times since which this replica has seen them so.

    All replicas choose the same next owner of a target. That replica may fail before it acquires the target, and its
    lease then lasts for some seconds more. So a replica acquires any target that has been free for longer than
    FIRST_CHOICE_TIME.
    """

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def choose(self, members: Membership, free: Collection[str], replica: Replica, now: float) -> list[str]:
        """Return the free targets that a replica should acquire now, at a time in seconds on a monotonic clock."""
        self._since = {key: self._since.get(key, now) for key in free}
        chosen = choose_owners(members, free)
        return sorted(
            key
            for key, since in self._since.items()
            if key in replica.targets and (chosen.get(key) == replica.id or now - since >= FIRST_CHOICE_TIME)
        )


def choose_surplus(members: Membership, replica: str, running: Collection[str]) -> tuple[str, str] | None:
    """Return a target that a replica should hand over to balance the replicas, and its next owner.

    `running` are the targets that this replica has started. It hands over a target by stopping it.
    """
    loads = members.loads()
    owned = [key for key in running if (row := members.targets.get(key)) and row.owner == replica]
    others = [other for other in members.replicas.values() if other.id != replica]
    moves = [
        (loads[other.id], _rank(key, other.id), key, other.id)
        for key in owned
        for other in others
        if key in other.targets
    ]
    if not moves:
        return None
    load, _, key, successor = min(moves)
    return (key, successor) if loads[replica] - load >= MIN_SURPLUS else None


def without_replica(members: Membership, replica: str) -> Membership:
    """Return the membership after a replica has left."""
    return Membership({id_: each for id_, each in members.replicas.items() if id_ != replica}, members.targets)


def _rank(key: str, replica: str) -> bytes:
    return hashlib.sha256(f"{key}\n{replica}".encode()).digest()
