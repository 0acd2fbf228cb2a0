"""Key-value tables in memory: the changes that wait for a write, and those that remain after a failed write."""

from __future__ import annotations

import pytest

from exporter.store.kv_table import KvTable


@pytest.fixture
def table() -> KvTable:
    """Return a table with two rows."""
    table = KvTable("name")
    table.load([("a", "old"), ("b", "old")])
    return table


def test_pending_changes_are_visible_and_written_once(table: KvTable) -> None:
    """Replaced and deleted rows have their new state before and after the write."""
    table.put("a", "new")
    table.put("b", None)
    assert (dict(table.items()), table.has_pending) == ({"a": "new"}, True)
    pending = table.pending()
    rows = table.rows(pending)
    assert (rows.table, rows.replaced, rows.deleted) == ("name", [("a", "new")], [("b",)])
    table.mark_written(pending)
    assert (dict(table.items()), table.has_pending) == ({"a": "new"}, False)


def test_a_change_during_a_write_stays_pending(table: KvTable) -> None:
    """The next write contains it, and not the changes that the previous write has committed."""
    table.put("a", "new")
    table.put("b", None)
    pending = table.pending()
    table.put("a", "newer")
    table.mark_written(pending)
    assert (dict(table.items()), table.pending()) == ({"a": "newer"}, {"a": "newer"})


def test_an_equal_text_is_not_written_again(table: KvTable) -> None:
    """Saving the same text again changes nothing."""
    table.put("a", "old")
    assert not table.has_pending


def test_an_invalid_text_fails_the_load() -> None:
    """The error comes from the parser."""
    with pytest.raises(ValueError, match="invalid literal"):
        KvTable("name", int).load([("a", "old")])
