"""Deletes rows that no replica needs any more, so that the size of the database is limited.

If a target is missing in the configuration for a while, by mistake or during a rollout, its counters must not be lost.
So the rows of a target are kept as long as the rows of a data source that is no longer watched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from exporter.domain.target_identity import account_of
from exporter.domain.units import HOUR
from exporter.store.postgresql import leases
from exporter.store.postgresql.errors import RejectedError
from exporter.store.table_store import UNWATCHED_RETENTION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exporter.domain.replicas import Membership
    from exporter.store.postgresql.session import Session, Transaction

CHECK_INTERVAL = HOUR
CHUNK = 200  # the number of data sources whose rows one transaction deletes, so that no beat is late
_KIND = "dropped"  # the kind of the note with the epoch of a target that no replica has configured, and since when

logger = structlog.get_logger()


class Retention:
    """Deletes targets that no replica had configured for UNWATCHED_RETENTION, and the rows of dead replicas.

    A take-over changes the epoch of a target. So a note with another epoch is void, and a deletion locks the row of the
    target by its epoch. A take-over need not consider either of them.
    """

    def __init__(self, session: Session, boot_time: Callable[[], float], replica: str) -> None:
        """Prepare the checks of a replica. The first check is due after one interval."""
        self._session = session
        self._boot_time = boot_time
        self._replica = replica
        self._next_check = boot_time() + CHECK_INTERVAL

    def check(self, members: Membership) -> None:
        """Delete a part of the expired rows, if this replica is responsible and an interval has passed.

        The next call continues if there are more.
        """
        now = self._boot_time()
        if now < self._next_check or self._replica != min(members.replicas, default=""):
            return
        self._next_check = now + CHECK_INTERVAL
        try:
            has_more = self._session.run(_delete_due)
        except RejectedError as error:
            logger.warning("targets that are not configured not removed, trying again in an hour", error=str(error))
        else:
            self._next_check = now if has_more else self._next_check


def _delete_due(transaction: Transaction) -> bool:
    """Delete a part of the rows of a target; return whether there may be more to delete."""
    transaction.execute("DELETE FROM replica WHERE until < clock_timestamp() - interval '1 day'")
    members = leases.read_members(transaction)
    keys = sorted(key for key in members.targets.keys() - members.configured() if members.owner(key) is None)
    for key in _find_expired(transaction, {key: members.targets[key].epoch for key in keys}):
        if _lock(transaction, key, members.targets[key].epoch):
            _delete_part(transaction, key, members)
            return True
    return False


def _find_expired(transaction: Transaction, epochs: Mapping[str, int]) -> Sequence[str]:
    """Return the targets that were dropped long enough ago, and record newly dropped ones."""
    ((now,),) = transaction.execute("SELECT extract(epoch FROM clock_timestamp())::float")
    rows = transaction.execute(
        "SELECT target, value FROM note WHERE target = ANY(%s) AND kind = %s", [list(epochs), _KIND]
    )
    since = {target: value.split() for target, value in rows}
    expired = []
    for key, epoch in epochs.items():
        recorded, moment = since.get(key, ("", "0"))
        if recorded != str(epoch):
            _record(transaction, key, f"{epoch} {now:.0f}")
        elif now - float(moment) > UNWATCHED_RETENTION:
            expired.append(key)
    return expired


def _record(transaction: Transaction, key: str, value: str) -> None:
    transaction.execute(
        """
        INSERT INTO note (target, kind, key, value) VALUES (%s, %s, 'since', %s)
        ON CONFLICT (target, kind, key) DO UPDATE SET value = EXCLUDED.value
        """,
        [key, _KIND, value],
    )


def _lock(transaction: Transaction, key: str, epoch: int) -> bool:
    """Lock the row of a target; return False if its owner has changed, or if it is locked."""
    sql = "SELECT 1 FROM target WHERE key = %s AND epoch = %s FOR UPDATE SKIP LOCKED"
    return bool(transaction.execute(sql, [key, epoch]))


def _delete_part(transaction: Transaction, key: str, members: Membership) -> None:
    """Delete some data sources of a target, or the rest of the target if it has none.

    If a replica acquires the target between two parts, it continues with the remaining data sources.
    """
    rows = transaction.execute("SELECT key FROM source WHERE target = %s LIMIT %s", [key, CHUNK])
    if sources := [source for (source,) in rows]:
        transaction.execute("DELETE FROM job WHERE target = %s AND source = ANY(%s)", [key, sources])
        transaction.execute("DELETE FROM source WHERE target = %s AND key = ANY(%s)", [key, sources])
        return
    transaction.execute("DELETE FROM target WHERE key = %s", [key])
    account = account_of(key)
    if account and account not in {account_of(other) for other in members.targets if other != key}:
        transaction.execute("DELETE FROM account WHERE account = %s", [account])
    logger.info("target removed from the state: no replica has it configured", target=key)
