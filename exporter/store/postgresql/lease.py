"""The lease of this replica, and how long this replica may rely on it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.domain.replicas import LEASE_SECONDS
from exporter.store.postgresql import leases

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.domain.replicas import Membership, Replica
    from exporter.store.postgresql.leases import LeaseEnd
    from exporter.store.postgresql.session import Session, Transaction
    from exporter.store.postgresql.target_keys import TargetKeys


class Lease:
    """Renews the lease of one replica."""

    def __init__(self, session: Session, replica: Replica, boot_time: Callable[[], float], keys: TargetKeys) -> None:
        self._session = session
        self._boot_time = boot_time
        self._keys = keys
        self._end: LeaseEnd | None = None
        self.deadline = float("-inf")
        """The time by the clock of the host until which no other replica can have taken over."""
        self.replica = replica
        self.was_lost = False
        """Whether the database lacked the renewal before the last one, because it has returned to an earlier state.

        Without this, a failover between two beats would not be noticed. The leases of other replicas are from an
        earlier time then, and may have ended, although these replicas are alive.
        """

    def is_fresh(self) -> bool:
        """Return whether no other replica can have taken over yet.

        The deadline counts from before the beat was sent, so it passes before the lease in the database ends.
        """
        return self._boot_time() < self.deadline

    def renew(self, sent_at: float) -> Membership:
        """Renew the lease, and repeat this if the database has accounts that change keys of targets."""
        self.was_lost = False
        while True:
            self.replica = replace(self.replica, targets=self._keys.all())
            before, end, members = self._session.run(self._renew)
            if self._end is not None and (before is None or before < self._end):
                self.was_lost = True
            self._end = end
            if self.replica.targets == self._keys.all():
                self.deadline = sent_at + LEASE_SECONDS
                return members

    def _renew(self, transaction: Transaction) -> tuple[LeaseEnd | None, LeaseEnd, Membership]:
        before = leases.read_end(transaction, self.replica.id)
        end = leases.renew(transaction, self.replica)
        members = leases.read_members(transaction)
        # Accounts are read after the targets, so that this replica knows no account whose row it has not seen.
        self._keys.accounts.update(leases.read_accounts(transaction))
        return before, end, members
