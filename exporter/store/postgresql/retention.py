"""Deletes what no replica needs any more, so that the size of the database is bounded.

A configuration that lacks a target for a while, by mistake or during a rollout, must not lose its counters. So the rows
of a target stay for as long as those of a data source that is not watched any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from exporter.domain.target_identity import account_of
from exporter.domain.units import HOUR
from exporter.store.postgresql import dropped, leases
from exporter.store.table_store import UNWATCHED_RETENTION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.domain.replicas import Membership
    from exporter.store.postgresql.session import Session, Transaction

CHECK_INTERVAL = HOUR
CHUNK = 200  # data sources whose rows one statement deletes, which must end within its timeout

logger = structlog.get_logger()


class Retention:
    """Deletes targets that no replica had configured for UNWATCHED_RETENTION, and the rows of dead replicas."""

    def __init__(self, session: Session, boot_time: Callable[[], float]) -> None:
        self._session = session
        self._boot_time = boot_time
        self._next_check = float("-inf")

    def check(self, members: Membership) -> None:
        """Delete at most one target, if an hour has passed; at once again if more of them are waiting."""
        now = self._boot_time()
        if now < self._next_check:
            return
        deleted = self._session.run(lambda transaction: _delete_expired(transaction, members))
        if deleted:
            logger.info("target removed from the state: no replica has it configured", target=deleted)
        else:
            self._next_check = now + CHECK_INTERVAL


def _delete_expired(transaction: Transaction, members: Membership) -> str | None:
    """Record which targets are not configured, and delete one for which that has lasted long enough; return its key."""
    leases.delete_dead(transaction)
    keys = sorted(members.targets.keys() - members.configured())
    dropped.record(transaction, keys)
    key = dropped.find_expired(transaction, keys, UNWATCHED_RETENTION)
    if key is None:
        return None
    _delete_target(transaction, key)
    account = account_of(key)
    if account and account not in {account_of(other) for other in members.targets if other != key}:
        leases.delete_account(transaction, account)
    return key


def _delete_target(transaction: Transaction, key: str) -> None:
    """Delete the rows of a target in parts; either all of them are deleted, or none."""
    while sources := _read_sources(transaction, key):
        for table, column in (("job", "source"), ("source", "key")):
            sql = f"DELETE FROM {table} WHERE target = %s AND {column} = ANY(%s)"  # noqa: S608 (constants)  # nosec B608
            transaction.execute(sql, [key, sources])
    transaction.execute("DELETE FROM target WHERE key = %s", [key])  # and what is left of its rows


def _read_sources(transaction: Transaction, key: str) -> Sequence[str]:
    rows = transaction.execute(f"SELECT key FROM source WHERE target = %s LIMIT {CHUNK}", [key])  # noqa: S608  # nosec B608
    return [source for (source,) in rows]
