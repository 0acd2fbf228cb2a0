"""The epochs of targets that a replica has seen. They show when the database has returned to an earlier state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.replicas import OUTAGE_GRACE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.domain.replicas import TargetRow


class EpochMemory:
    """Remembers the highest epoch of each target, and the targets that this replica must leave alone for now.

    A standby that is promoted may lack the last commits. Example: replica B has taken over a target of A with epoch 2,
    and the new primary still has A with epoch 1. B asserts the target again within seconds, so no other replica takes
    it before that. The same holds after an outage: the owners whose leases have lapsed are reconnecting.
    """

    def __init__(self) -> None:
        self._highest: dict[str, int] = {}
        self._regressed_at: dict[str, float] = {}
        self._outage_ended_at = float("-inf")

    def observe(self, rows: Mapping[str, TargetRow], now: float) -> None:
        """Compare all rows with earlier epochs; the time is in seconds on a clock that never goes back."""
        for key in self._highest.keys() | rows.keys():
            row = rows.get(key)
            epoch = row.epoch if row else 0
            if epoch >= self._highest.get(key, 0):
                self._highest[key] = epoch
                self._regressed_at.pop(key, None)
            else:
                self._regressed_at.setdefault(key, now)

    def record(self, row: TargetRow) -> None:
        """Record a row that this replica has written."""
        self._highest[row.key] = row.epoch

    def has_fallen(self, row: TargetRow) -> bool:
        """Return whether the epoch of a target is lower than one that was seen before."""
        return row.epoch < self._highest.get(row.key, 0)

    def outage_ended(self, now: float) -> None:
        """Record that the database was reached again."""
        self._outage_ended_at = now

    def next_epoch(self, row: TargetRow) -> int:
        """Return an epoch for the next owner of a target, which no earlier owner has had."""
        return max(row.epoch, self._highest.get(row.key, 0)) + 1

    def is_left_alone(self, key: str, row: TargetRow | None, now: float) -> bool:
        """Return whether this replica must leave a target alone, because its owner may still assert it."""
        if row and row.owner and now < self._outage_ended_at + OUTAGE_GRACE:
            return True
        return self.may_be_asserted(key, now)

    def may_be_asserted(self, key: str, now: float) -> bool:
        """Return whether the epoch of a target has fallen only now, so that its last owner may still assert it."""
        regressed_at = self._regressed_at.get(key)
        return regressed_at is not None and now < regressed_at + OUTAGE_GRACE
