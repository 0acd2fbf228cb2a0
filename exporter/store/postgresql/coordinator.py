"""The lease of this replica, and the targets that it acquires, keeps, hands over and loses.

docs/replicas.md describes the protocol. All of this code runs in the thread of the writer, which calls it between
commits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from exporter.domain.epoch_memory import EpochMemory
from exporter.domain.replicas import (
    BEAT_INTERVAL,
    LEASE_SECONDS,
    MIN_STABLE_BEATS,
    Membership,
    TargetRow,
    choose_owners,
    choose_surplus,
    without_replica,
)
from exporter.store.postgresql import leases
from exporter.store.postgresql.acquiring import MAX_UNEXPOSED, TargetAcquirer
from exporter.store.postgresql.lease import Lease
from exporter.store.postgresql.leaving import leave, pass_on
from exporter.store.postgresql.loading import PartitionLoader
from exporter.store.postgresql.target_keys import TargetKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exporter.domain.replicas import Replica
    from exporter.store.postgresql.partition import Partition, PartitionWriter
    from exporter.store.postgresql.session import Session

logger = structlog.get_logger()


class Coordinator:
    """Owns targets on behalf of one replica."""

    def __init__(
        self, session: Session, replica: Replica, boot_time: Callable[[], float], writer: PartitionWriter
    ) -> None:
        self._session = session
        self._boot_time = boot_time
        self._epochs = EpochMemory()
        self._acquirer = TargetAcquirer(session, self._epochs)
        self._loader = PartitionLoader(session, boot_time, writer)
        self._is_behind = self.has_beaten = False
        self._stable_beats = 0
        self.keys = TargetKeys()
        self.lease = Lease(session, replica, boot_time, self.keys)
        self.members = Membership()
        self.partitions: dict[str, Partition] = {}
        """The targets that this replica owns and has loaded, by key. Other threads may read it."""
        self.leaving: dict[str, str] = {}
        """Targets to be handed over, each with its next owner."""

    @property
    def unreadable(self) -> Mapping[str, str]:
        """The errors of the owned targets whose rows this replica cannot read, by key."""
        return self._loader.unreadable

    @property
    def replica(self) -> Replica:
        """This replica, with the targets that it has published."""
        return self.lease.replica

    def is_fresh(self) -> bool:
        """Return whether no other replica can have taken over yet."""
        return self.lease.is_fresh()

    def beat(self, *, after_outage: bool = False) -> bool:
        """Renew the lease, and compare owned targets with the database; return whether to repeat this immediately."""
        sent_at = self._boot_time()
        members = self.lease.renew(sent_at)
        if after_outage or self.lease.was_lost:
            self._epochs.outage_ended(sent_at)
        self._observe(members)
        for partition in list(self.partitions.values()):
            self._compare(partition)
        self._is_behind = False
        self._adopt()
        self._take_free()
        self.has_beaten = True
        return self._is_behind

    def _observe(self, members: Membership) -> None:
        is_stable = members.replicas.keys() == self.members.replicas.keys()
        self._stable_beats = self._stable_beats + 1 if is_stable else 0
        differing = members.differing_targets()
        if differing and differing != self.members.differing_targets():
            logger.warning("replicas have different targets or settings configured", targets=differing)
        self.members = members
        self._epochs.observe(members.targets, self._boot_time())

    def _compare(self, partition: Partition) -> None:
        """Keep, assert or lose a target of this replica, by its row in the database."""
        mine, seen = partition.row, self.members.targets.get(partition.row.key)
        if seen is None or seen.epoch < mine.epoch:
            self._assert(partition, seen)
        elif seen.epoch > mine.epoch and seen.owner == mine.owner:
            was_asserted = seen.epoch == partition.claimed_epoch  # the response was lost, and the rows are still old
            (self._assert if was_asserted else self._reload)(partition, seen)
        elif seen.epoch > mine.epoch or seen.owner != mine.owner:
            self._lose(partition, "target lost to another replica")
        else:
            if seen.revision < mine.revision:
                logger.warning("database has lost commits, writing the target again", target=mine.key)
                partition.rewrite()
            partition.row = seen

    def _assert(self, partition: Partition, seen: TargetRow | None) -> None:
        """Own a target again with a new epoch, because the database has returned to an earlier state.

        Otherwise the previous owner would continue from a state that lacks everything counted since then.
        """
        claimed = replace(partition.row, epoch=partition.row.epoch + 1)
        partition.claimed_epoch = claimed.epoch
        row = self._session.run(lambda transaction: leases.own(transaction, claimed, seen.epoch if seen else 0))
        if row is None:
            self._lose(partition, "target lost to another replica")
            return
        logger.warning("database returned to an earlier state, writing the target again", target=row.key)
        self._epochs.record(row)
        partition.row = row
        partition.rewrite()

    def _reload(self, partition: Partition, row: TargetRow) -> None:
        """Continue with the rows of an owned target into which a replica has merged those of another one."""
        merged = self._loader.load(row)
        self._lose(partition, "state of the target read again")
        if merged:
            self.partitions = {**self.partitions, row.key: merged}

    def _lose(self, partition: Partition, event: str) -> None:
        partition.close()
        self._loader.lost(partition)
        lost = partition.row.key
        self.partitions = {key: each for key, each in self.partitions.items() if key != lost}
        self.leaving = {key: successor for key, successor in self.leaving.items() if key != lost}
        logger.info(event, target=lost, epoch=partition.row.epoch)

    def _adopt(self) -> None:
        """Load targets that another replica has handed over to this one, and pass on those that it cannot use."""
        now, owned = self._boot_time(), (row for row in self.members.targets.values() if row.owner == self.replica.id)
        rows = [row for row in owned if not self._epochs.may_be_asserted(row.key, now)]
        self._loader.keep({row.key for row in rows})
        for row in rows:
            if row.key in self.replica.targets:
                self._load(row)
            elif row.key not in self.partitions:
                self._pass_on([row])
        for key in self.partitions.keys() - self.replica.targets.keys():
            if not self.partitions[key].has_unwritten():
                self.hand_over(self.partitions[key])

    def _load(self, row: TargetRow) -> None:
        """Load a target that this replica owns. If loading would delay the beat, the next beat loads the target."""
        if row.key in self.partitions or self._loader.is_waiting(row.key):
            return
        if self._boot_time() > self.lease.deadline - LEASE_SECONDS + BEAT_INTERVAL:
            self._is_behind = True
            return
        if partition := self._loader.load(row):
            self.partitions = {**self.partitions, row.key: partition}
            logger.info("target owned", target=row.key, epoch=row.epoch)

    def _take_free(self) -> None:
        """Acquire targets without an owner, and balance the replicas if there are none."""
        for row in self._acquirer.acquire(self.members, self.replica, self._boot_time(), self._unexposed()):
            self._epochs.record(row)
            self._load(row)
        if not self._acquirer.are_free and not self.leaving and self._stable_beats >= MIN_STABLE_BEATS:
            self._choose_surplus()

    def can_acquire_more(self) -> bool:
        """Return whether the last beat left free targets to this replica, and enough others are exposed since then."""
        return self._acquirer.has_left and self._unexposed() <= MAX_UNEXPOSED // 2

    def _unexposed(self) -> int:
        """Return the number of owned targets that this replica does not expose yet, except unreadable ones."""
        exposed = {key for key, partition in self.partitions.items() if partition.is_restored}
        owned = {row.key for row in self.members.targets.values() if row.owner == self.replica.id}
        return len((owned | self.partitions.keys()) - exposed - self.unreadable.keys())

    def _choose_surplus(self) -> None:
        """Choose one of the running targets to hand over."""
        running = [key for key, partition in self.partitions.items() if partition.is_restored]
        if move := choose_surplus(self.members, self.replica.id, running):
            self.leaving = dict([move])

    def keep_all(self) -> None:
        """Hand over no target until beats are stable again."""
        self.leaving = {}
        self._stable_beats = 0

    def has_pending(self) -> bool:
        """Return whether there are changes that are not written."""
        return any(partition.has_unwritten() for partition in self.partitions.values())

    def hand_over(self, partition: Partition) -> None:
        """Pass a target to the replica that was chosen for it. This replica does not poll its sources any more."""
        row = partition.row
        if self.partitions.get(row.key) is partition:
            self._pass_on([row])
            partition.row = replace(row, epoch=row.epoch + 1)
            self._lose(partition, "target handed over")

    def is_continued(self, partition: Partition) -> bool:
        """Return whether the next owner of a handed-over target has loaded it."""
        handed_over, seen = partition.row, self.members.targets.get(partition.row.key)
        return seen is None or (seen.epoch, seen.revision) > (handed_over.epoch, handed_over.revision)

    def leave(self) -> None:
        """Hand over all targets, and end the lease."""
        for partition in self.partitions.values():
            partition.close()
        self.partitions = {}
        self._session.run(lambda transaction: leave(transaction, self.replica.id, self._epochs))

    def _pass_on(self, rows: Sequence[TargetRow]) -> None:
        others = without_replica(self.members, self.replica.id)
        successors = {**choose_owners(others, [row.key for row in rows]), **self.leaving}
        self._session.run(lambda transaction: pass_on(transaction, rows, successors))

    def identify(self, partition: Partition, target: str, account: str, identity: str) -> None:
        """Save the account of a target. Its key becomes its identity, or its rows join those of the identity."""
        row = partition.row
        if self.keys.accounts.get(target) == account and row.key == identity:
            return
        is_renamed, merged = self._session.run(lambda each: leases.identify(each, row, target, account, identity))
        if row.key != identity and self.partitions.get(row.key) is partition:
            if merged and identity in self.partitions:
                self._reload(self.partitions[identity], merged)
            if is_renamed:
                self.partitions = {
                    identity if each is partition else key: each for key, each in self.partitions.items()
                }
                partition.row = replace(row, key=identity)
            else:
                self._lose(partition, "account of the target changed")
        self.keys.accounts[target] = account
