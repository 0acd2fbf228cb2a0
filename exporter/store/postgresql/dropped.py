"""The statements about targets that no replica has configured, and since when."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.store.postgresql.session import Transaction


def record(transaction: Transaction, keys: Sequence[str]) -> None:
    """Record that these targets are not configured, and that all others are; what is recorded already stays."""
    transaction.execute("DELETE FROM dropped_target WHERE NOT key = ANY(%s)", [list(keys)])
    transaction.execute(
        """
        INSERT INTO dropped_target (key, since) SELECT key, clock_timestamp() FROM target WHERE key = ANY(%s)
        ON CONFLICT (key) DO NOTHING
        """,
        [list(keys)],
    )


def find_expired(transaction: Transaction, keys: Sequence[str], retention: float) -> str | None:
    """Return one of these targets that is not configured for some seconds, and lock its record.

    A replica that acquires the target meanwhile waits for the lock, finds no row of the target, and writes a new one.
    If it was first, the record is not found here.
    """
    expired = f"since < clock_timestamp() - interval '{retention:.0f} seconds'"
    sql = f"SELECT key FROM dropped_target WHERE key = ANY(%s) AND {expired} LIMIT 1 FOR UPDATE"  # noqa: S608  # nosec B608
    found = transaction.execute(sql, [list(keys)])
    return str(found[0][0]) if found else None


def delete(transaction: Transaction, key: str) -> None:
    """Delete the record of a target, because a replica acquires it."""
    transaction.execute("DELETE FROM dropped_target WHERE key = %s", [key])
