"""Key-value tables: which changes wait for a write, and what a failed write leaves."""

from __future__ import annotations

import sqlite3

import pytest

from exporter.store.kv_table import KvTable


@pytest.fixture
def db() -> sqlite3.Connection:
    """Return a database with one table."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute("CREATE TABLE name (key TEXT PRIMARY KEY, name TEXT NOT NULL)")
    db.execute("INSERT INTO name VALUES ('a', 'old'), ('b', 'old')")
    return db


def test_pending_changes_are_visible_and_written_once(db: sqlite3.Connection) -> None:
    """Replaced and deleted rows have their new state before and after the write."""
    table = KvTable("name")
    table.load(db)
    table.put("a", "new")
    table.put("b", None)
    table.put("c", None)
    assert (dict(table.items()), table.has_pending) == ({"a": "new"}, True)
    table.write(db)
    table.mark_written()
    assert (dict(table.items()), table.has_pending) == ({"a": "new"}, False)
    assert db.execute("SELECT * FROM name").fetchall() == [("a", "new")]


def test_changes_stay_pending_until_they_are_committed(db: sqlite3.Connection) -> None:
    """A transaction that is rolled back is written again by the next one."""
    table = KvTable("name")
    table.load(db)
    table.put("a", "new")
    db.execute("BEGIN")
    table.write(db)
    db.execute("ROLLBACK")
    assert (table.get("a"), table.has_pending) == ("new", True)
    table.write(db)
    assert db.execute("SELECT name FROM name WHERE key = 'a'").fetchone() == ("new",)


def test_an_equal_text_is_not_written_again(db: sqlite3.Connection) -> None:
    """Saving what is saved already changes nothing."""
    table = KvTable("name")
    table.load(db)
    table.put("a", "old")
    assert not table.has_pending


def test_an_invalid_text_fails_the_load(db: sqlite3.Connection) -> None:
    """The error is that of the parser."""
    with pytest.raises(ValueError, match="invalid literal"):
        KvTable("name", int).load(db)
