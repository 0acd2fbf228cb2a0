"""A simulated PostgreSQL: the statements of the program on SQLite in memory, on the clock of the simulation.

The statements are those of the program, so that an error in them is found too. Transactions run one after the other, as
if each had locked everything. Other tests use a real server to test waiting for locks.
"""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from exporter.store.postgresql.errors import RejectedError
from exporter.store.postgresql.session import Transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from simulation.virtual_clock import VirtualClock

SETTINGS: dict[str, str | int] = {
    "server_version_num": 150000,
    "server_version": "15.0",
    "transaction_read_only": "off",
}
_ROWS_OF_A_TARGET = re.compile(r"\s*(INSERT INTO|DELETE FROM) (source|job|note)\b")
_ARRAYS = re.compile(r"unnest\(((?:%s::\w+\[\](?:, )?)+)\)(?: AS (\w+) \(([^)]*)\))?(\s+ON CONFLICT)?")
_REPLACEMENTS = (
    (r"= ANY\(%s\)", "IN (SELECT value FROM json_each(?))"),
    (r"to_regclass\(('\w+')\)", r"(SELECT name FROM sqlite_master WHERE name = \1)"),
    (r"interval '1 day'", "86400"),
    (r"extract\(epoch FROM (clock_timestamp\(\))\)::float", r"\1"),
    (r"interval '(\d+) seconds'", r"\1"),
    (r"text\[\]", "text_array"),
    (r"timestamptz", "real"),
    (r"::int\b", ""),
    (r" FOR UPDATE(?: SKIP LOCKED)?", ""),
    (r"%\((\w+)\)s", r":\1"),
    (r"%s", "?"),
)


class SimulatedDatabase:
    """The database that replicas share. It can be unreachable, reject rows, lose commits, and have a wrong clock."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.clock_error = 0.0
        """The seconds by which the clock of the database is ahead."""
        self.down_until = 0.0
        self.rejects_until = 0.0
        """The time until which it rejects rows."""
        self.rejected_target: str | None = None
        """The key of the target whose rows it rejects; None if it rejects the rows of all targets."""
        self.late_writes: list[str] = []
        """The rows that a replica has written without owning their target."""
        self._connection = self._open()

    @property
    def is_down(self) -> bool:
        """Whether nothing listens at the address of the database."""
        return self._clock.now < self.down_until

    @property
    def is_writable(self) -> bool:
        """Whether it can be reached, and accepts all rows."""
        return not self.is_down and self._clock.now >= self.rejects_until

    def rejects(self, target: str) -> bool:
        """Return whether it rejects the rows of a target."""
        return self._clock.now < self.rejects_until and self.rejected_target in {None, target}

    @contextmanager
    def transaction(self, replica: str) -> Iterator[SimulatedTransaction]:
        """Yield a transaction of a replica, which is committed unless the block raises an exception."""
        self._connection.execute("BEGIN")
        try:
            yield SimulatedTransaction(self._connection, replica, self)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def copy(self) -> bytes:
        """Return all data, in the format of SQLite."""
        return self._connection.serialize()

    def restore(self, data: bytes) -> None:
        """Return to a copy: the standby becomes the primary, and lacks later commits."""
        with closing(sqlite3.connect(":memory:")) as standby:
            standby.deserialize(data)
            # A connection that is deserialized keeps its prepared statements, and SQLite 3.40 crashes in one of them.
            standby.backup(self._connection)

    def _open(self) -> sqlite3.Connection:
        sqlite3.register_converter("text_array", json.loads)
        connection = sqlite3.connect(":memory:", isolation_level=None, detect_types=sqlite3.PARSE_DECLTYPES)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.create_function("clock_timestamp", 0, lambda: self._clock.now + self.clock_error)
        connection.create_function("greatest", 2, max)
        connection.create_function("current_setting", 1, SETTINGS.__getitem__)
        connection.create_function("set_config", 3, lambda _name, value, _is_local: value)
        connection.create_function("has_table_privilege", 2, lambda table, _right: table and 1)
        connection.create_function("pg_advisory_xact_lock", 1, lambda _: None)
        return connection


class SimulatedTransaction(Transaction):
    """A transaction in progress, which records writes that the fence should have prevented."""

    def __init__(self, connection: sqlite3.Connection, replica: str, database: SimulatedDatabase) -> None:
        self._connection = connection
        self._replica = replica
        self._database = database

    def execute(self, sql: str, parameters: Mapping[str, Any] | Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run the statements of a text, and return the rows of the last one."""
        # A merge of two targets, whose parameters have names, writes rows that another replica may own.
        if _ROWS_OF_A_TARGET.match(sql) and not isinstance(parameters, dict):
            target = next(iter(parameters))
            self._check_owner(target)
            if self._database.rejects(target):
                raise RejectedError("could not extend file: No space left on device")
        rows: list[tuple[Any, ...]] = []
        for statement in translate(sql):
            rows = self._connection.execute(statement, _encode(parameters)).fetchall()
        return rows

    def _check_owner(self, target: str) -> None:
        found = self._connection.execute("SELECT owner FROM target WHERE key = ?", [target]).fetchone()
        if found != (self._replica,):
            self._database.late_writes.append(
                f"replica {self._replica} has written rows of {target}, which {found} owns"
            )


@lru_cache(maxsize=256)
def translate(sql: str) -> tuple[str, ...]:
    """Return the statements of a text for PostgreSQL in the dialect of SQLite."""
    text = _ARRAYS.sub(_as_subquery, sql)
    for pattern, replacement in _REPLACEMENTS:
        text = re.sub(pattern, replacement, text)
    return tuple(statement for statement in text.split(";") if statement.strip())


def _as_subquery(arrays: re.Match[str]) -> str:
    """Return a subquery with a column for each array, which is a parameter in JSON."""
    parameters, alias, names, before_conflict = arrays.groups()
    count = parameters.count("%s")
    columns = names.split(", ") if names else [f"column{number}" for number in range(count)]
    values = ", ".join(f"a{number}.value AS {column}" for number, column in enumerate(columns))
    joins = " ".join(f"JOIN json_each(%s) AS a{number} ON a{number}.key = a0.key" for number in range(1, count))
    condition = " WHERE true ON CONFLICT" if before_conflict else ""  # otherwise SQLite parses ON as part of a join
    return f"(SELECT {values} FROM json_each(%s) AS a0 {joins}) AS {alias or 'arrays'}{condition}"  # noqa: S608 (no input)


def _encode(parameters: Mapping[str, Any] | Sequence[Any]) -> Any:
    if isinstance(parameters, dict):
        return parameters
    return [json.dumps(value) if isinstance(value, list) else value for value in parameters]
