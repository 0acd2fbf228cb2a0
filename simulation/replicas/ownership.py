"""The invariants of ownership: a target never has two fresh owners, or none, for a long time."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from exporter.domain.replicas import LEASE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Collection

    from simulation.replicas.cluster import ClusterState
    from simulation.replicas.process import ReplicaProcess

TAKE_OVER = 30.0  # seconds until a target has another owner, by the contract
# Seconds for which a target may have two fresh owners. A step back of the database's clock ends all leases at once, and
# an owner that cannot renew its lease then is fresh until its own deadline. The contract allows 30 seconds.
MAX_CONFLICT = LEASE_SECONDS + 3.0


class OwnershipCheck:
    """Records the owners of all targets, a few times for each beat."""

    def __init__(self, cluster: ClusterState) -> None:
        self._cluster = cluster
        self._owned_at = dict.fromkeys(cluster.targets(), cluster.clock.now)
        self._single_at = dict(self._owned_at)
        self._able_since: dict[str, float] = {}
        self._impossible_at = cluster.clock.now
        self.longest_conflict = self.longest_gap = 0.0

    def check(self, processes: Collection[ReplicaProcess]) -> None:
        """Assert both invariants now."""
        now = self._cluster.clock.now
        self._observe(processes, now)
        owners = [(target, process.id) for process in processes for target in process.fresh_targets()]
        for name in self._owned_at:
            mine = [owner for target, owner in owners if target == name]
            if mine:
                self._owned_at[name] = now
            if len(mine) <= 1:
                self._single_at[name] = now
            conflict, gap = now - self._single_at[name], now - max(self._owned_at[name], self._impossible_at)
            self.longest_conflict = max(self.longest_conflict, conflict)
            self.longest_gap = max(self.longest_gap, gap)
            assert conflict <= MAX_CONFLICT, f"{name} has had the fresh owners {mine} for {conflict:.1f} s"
            assert gap <= TAKE_OVER, f"{name} has had no fresh owner for {gap:.1f} s"

    def check_single(self, processes: Collection[ReplicaProcess]) -> None:
        """Assert that each target has one owner, and that no replica owns two more than another one."""
        owned = [process.fresh_targets() for process in processes]
        assert sorted(chain.from_iterable(owned)) == self._cluster.targets(), f"the owners at the end: {owned}"
        loads = [len(targets) for targets in owned]
        assert max(loads) - min(loads) <= 1, f"the replicas are not balanced at the end: {owned}"

    def _observe(self, processes: Collection[ReplicaProcess], now: float) -> None:
        """Record whether a replica could have taken over: after 30 s in which no other one has ended.

        If a new owner ends just after it has taken over a target, the target has no owner for twice as long.
        """
        database = self._cluster.database
        able = {process.id for process in processes if process.can_own and database.is_writable}
        is_lost = bool(self._able_since.keys() - able)
        self._able_since = {each: self._able_since.get(each, now) for each in able}
        if is_lost or not any(now - since >= TAKE_OVER for since in self._able_since.values()):
            self._impossible_at = now
