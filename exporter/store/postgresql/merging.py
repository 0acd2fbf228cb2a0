"""Merges the rows of a target with those of another one that turns out to be the same.

Example: two targets have the same account, and STS does not respond at first. Each of them is polled under its name.
Then the key of the first one becomes its identity, and the data sources of the second one are moved there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.replicas import TargetRow

if TYPE_CHECKING:
    from exporter.store.postgresql.session import Transaction

# Rows that both have stay as they are in the other target, whose state is the older one. So the jobs come first: those
# of a data source that the other target has belong to its older history.
_JOBS = """
INSERT INTO job SELECT %(to)s, source, execution_id, state FROM job
WHERE target = %(of)s AND source NOT IN (SELECT key FROM source WHERE target = %(to)s) ON CONFLICT DO NOTHING
"""
_SOURCES = """
INSERT INTO source SELECT %(to)s, key, totals FROM source WHERE target = %(of)s ON CONFLICT DO NOTHING RETURNING 1
"""
_NOTES = """
INSERT INTO note SELECT %(to)s, kind, key, value FROM note WHERE target = %(of)s ON CONFLICT DO NOTHING
"""


def merge(transaction: Transaction, row: TargetRow, into: str) -> TargetRow | None:
    """Move the data sources of a target into another one that exists, and delete its row.

    Return the row of the other one if it has got data sources. Its epoch has then increased, so that its owner reads
    all rows again before its next commit.
    """
    mine = [row.key, row.owner, row.epoch]
    if not transaction.execute("SELECT 1 FROM target WHERE key = %s AND owner = %s AND epoch = %s FOR UPDATE", mine):
        return None
    keys = {"of": row.key, "to": into}
    transaction.execute(_JOBS, keys)
    moved = transaction.execute(_SOURCES, keys)
    transaction.execute(_NOTES, keys)
    transaction.execute("DELETE FROM target WHERE key = %s", [row.key])
    if not moved:
        return None
    sql = "UPDATE target SET epoch = epoch + 1 WHERE key = %s RETURNING key, owner, epoch, revision"
    return TargetRow(*transaction.execute(sql, [into])[0])
