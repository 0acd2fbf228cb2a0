"""The statements of leases and ownership.

All times are on the clock of the database, so that the clocks of replicas do not matter. A lease is alive until its
end. A lease with an end later than any beat can set is void, because the clock of the database was set back.
"""

from __future__ import annotations

from datetime import datetime
from itertools import zip_longest
from typing import TYPE_CHECKING

from exporter.domain.replicas import LEASE_SECONDS, Membership, Replica, TargetRow
from exporter.domain.target_identity import account_of
from exporter.store.postgresql.ascii_text import decode, encode
from exporter.store.postgresql.merging import merge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from exporter.store.postgresql.session import Transaction

_TTL = f"interval '{LEASE_SECONDS:g} seconds'"
_ALIVE = f"clock_timestamp() < until AND until <= clock_timestamp() + {_TTL}"


LeaseEnd = datetime
"""The end of a lease on the clock of the database."""


def read_end(transaction: Transaction, replica: str) -> LeaseEnd | None:
    """Return the end of the lease of a replica; None without one."""
    found = transaction.execute("SELECT until FROM replica WHERE id = %s", [replica])
    return found[0][0] if found else None


def renew(transaction: Transaction, replica: Replica) -> LeaseEnd:
    """Renew the lease of a replica, and publish its configured targets; return the new end."""
    targets = sorted(replica.targets)
    ((end,),) = transaction.execute(
        f"""
        INSERT INTO replica (id, name, address, until, targets, settings)
        VALUES (%s, %s, %s, clock_timestamp() + {_TTL}, %s, %s)
        ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, address = EXCLUDED.address,
            until = clock_timestamp() + {_TTL}, targets = EXCLUDED.targets,
            settings = EXCLUDED.settings
        RETURNING until
        """,  # noqa: S608 (a constant)  # nosec B608
        [
            replica.id,
            encode(replica.name),
            encode(replica.address),
            targets,
            [replica.targets[key] for key in targets],
        ],
    )
    new_end: LeaseEnd = end
    return new_end


def read_members(transaction: Transaction) -> Membership:
    """Return all targets and the live replicas."""
    rows = transaction.execute("SELECT key, owner, epoch, revision FROM target")
    sql = f"SELECT id, name, address, targets, settings FROM replica WHERE {_ALIVE}"  # noqa: S608 (a constant)  # nosec B608
    # A replica of a release before the second schema publishes no settings.
    replicas = (
        Replica(id_, decode(name), decode(address), dict(zip_longest(targets, settings, fillvalue="")))
        for id_, name, address, targets, settings in transaction.execute(sql)
    )
    return Membership({each.id: each for each in replicas}, {row[0]: TargetRow(*row) for row in rows})


def read_accounts(transaction: Transaction) -> dict[str, str]:
    """Return the account of each target name, as replicas have learned it from AWS."""
    rows = transaction.execute("SELECT target_name, account FROM account")
    return {decode(name): account for name, account in rows}


def find_alive(transaction: Transaction, replicas: Iterable[str]) -> set[str]:
    """Return which replicas are alive, and lock their rows until the end of the transaction.

    The lock puts a take-over and the beat of the old owner in an order. Either the beat is first, and the lease is
    alive in this transaction. Or the take-over is first, and the beat then reads the new owner.
    """
    rows = transaction.execute(
        f"SELECT id, {_ALIVE} FROM replica WHERE id = ANY(%s) ORDER BY id FOR UPDATE",  # noqa: S608  # nosec B608
        [sorted(replicas)],
    )
    return {id_ for id_, is_alive in rows if is_alive}


def lock_targets(transaction: Transaction, keys: Sequence[str]) -> set[str]:
    """Lock rows of targets, except rows that another session has locked; return the keys of the locked ones.

    Otherwise a take-over of many targets would wait for one row. Example: an operator has an open transaction in psql.
    """
    rows = transaction.execute("SELECT key FROM target WHERE key = ANY(%s) FOR UPDATE SKIP LOCKED", [list(keys)])
    return {key for (key,) in rows}


def own(transaction: Transaction, row: TargetRow, seen: int) -> TargetRow | None:
    """Write the owner and the epoch of a target, if its epoch has not changed or it has no row.

    Return the row, whose revision never decreases; None if another replica was faster.
    """
    found = transaction.execute(
        """
        INSERT INTO target (key, owner, epoch, revision) VALUES (%(key)s, %(owner)s, %(epoch)s, %(revision)s)
        ON CONFLICT (key) DO UPDATE SET owner = %(owner)s, epoch = %(epoch)s,
            revision = greatest(target.revision, %(revision)s) WHERE target.epoch = %(seen)s
        RETURNING key, owner, epoch, revision
        """,
        {"key": row.key, "owner": row.owner, "epoch": row.epoch, "revision": row.revision, "seen": seen},
    )
    return TargetRow(*found[0]) if found else None


def fence(transaction: Transaction, replica: str, epochs: Mapping[str, int]) -> dict[str, int]:
    """Begin a commit: increment the revisions of targets that the replica owns, and return the new ones.

    A target that is missing in the result has another owner or epoch, and none of its changes may be written.
    """
    rows = transaction.execute(
        """
        UPDATE target SET revision = revision + 1 FROM unnest(%s::text[], %s::bigint[]) AS mine (key, epoch)
        WHERE target.key = mine.key AND target.epoch = mine.epoch AND target.owner = %s
        RETURNING target.key, target.revision
        """,
        [list(epochs), list(epochs.values()), replica],
    )
    return {key: revision for key, revision in rows}  # noqa: C416 (a row is a tuple of any length)


def hand_over(transaction: Transaction, row: TargetRow, successor: str | None) -> bool:
    """Make another replica, or none, the owner of a target; return False if the row has changed in between."""
    return bool(
        transaction.execute(
            "UPDATE target SET owner = %s, epoch = epoch + 1 WHERE key = %s AND owner = %s AND epoch = %s RETURNING 1",
            [successor, row.key, row.owner, row.epoch],
        )
    )


def save_account(transaction: Transaction, target_name: str, account: str) -> None:
    """Save the account of a target name, for all replicas."""
    transaction.execute(
        "INSERT INTO account VALUES (%s, %s) ON CONFLICT (target_name) DO UPDATE SET account = EXCLUDED.account",
        [encode(target_name), account],
    )


def identify(
    transaction: Transaction, row: TargetRow, target_name: str, account: str, identity: str
) -> tuple[bool, TargetRow | None]:
    """Save the account of a target name, for all replicas; return whether the target now has `identity` as its key.

    A target with a provisional key is renamed, with all of its rows. If `identity` already has a row, that row has the
    older state, and gets the data sources that it lacks; the second value is then its row. A target of another account
    is left to the replicas that have it.
    """
    save_account(transaction, target_name, account)
    if row.key == identity:
        return True, None
    if account_of(row.key) is not None:
        hand_over(transaction, row, None)
        return False, None
    if transaction.execute("SELECT 1 FROM target WHERE key = %s FOR UPDATE", [identity]):
        return False, merge(transaction, row, identity)
    sql = "UPDATE target SET key = %s WHERE key = %s AND owner = %s AND epoch = %s RETURNING 1"
    return bool(transaction.execute(sql, [identity, row.key, row.owner, row.epoch])), None


def delete_replica(transaction: Transaction, replica: str) -> None:
    """Delete the row of a replica that ends, and the rows of replicas that have been dead for a day."""
    dead = "until < clock_timestamp() - interval '1 day'"
    transaction.execute(f"DELETE FROM replica WHERE id = %s OR {dead}", [replica])  # noqa: S608  # nosec B608
