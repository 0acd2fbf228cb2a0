"""The tables of the state, and their migration while other replicas are running."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.store.postgresql.errors import RefusedError

if TYPE_CHECKING:
    from exporter.store.postgresql.session import Session, Transaction

MIN_SERVER_VERSION = 130000
_LOCK = 0x51425845  # "QBXE", the advisory lock of migrations; the application id of state files in SQLite

_TABLES = ("replica", "target", "account", "source", "job", "note")
_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")

# One step for each schema version. A released step is never edited. During a rollout, replicas of the previous release
# continue to run. So a step may add tables, and columns with defaults, and must not remove anything that they use.
_MIGRATIONS = (
    """
    CREATE TABLE replica (
        id text PRIMARY KEY, name text NOT NULL, address text NOT NULL,
        until timestamptz NOT NULL, targets text[] NOT NULL
    );
    CREATE TABLE target (
        key text PRIMARY KEY, owner text, epoch bigint NOT NULL, revision bigint NOT NULL
    );
    CREATE TABLE account (target_name text PRIMARY KEY, account text NOT NULL);
    CREATE TABLE source (
        target text NOT NULL REFERENCES target ON UPDATE CASCADE ON DELETE CASCADE,
        key text NOT NULL, totals text NOT NULL, PRIMARY KEY (target, key)
    );
    CREATE TABLE job (
        target text NOT NULL REFERENCES target ON UPDATE CASCADE ON DELETE CASCADE,
        source text NOT NULL, execution_id text NOT NULL, state text NOT NULL,
        PRIMARY KEY (target, source, execution_id)
    );
    CREATE TABLE note (
        target text NOT NULL REFERENCES target ON UPDATE CASCADE ON DELETE CASCADE,
        kind text NOT NULL, key text NOT NULL, value text NOT NULL, PRIMARY KEY (target, kind, key)
    );
    """,
    "ALTER TABLE replica ADD COLUMN settings text[] NOT NULL DEFAULT '{}'",
)


def prepare(session: Session) -> None:
    """Create or migrate the tables; raise RefusedError if this release cannot use the database."""
    session.run(_prepare)


def prepare_to_write(session: Session) -> None:
    """Create or migrate the tables, and check the rights on them; raise RefusedError if a replica cannot use them."""

    def work(transaction: Transaction) -> None:
        _prepare(transaction)
        _check_tables(transaction)

    session.run(work)  # one transaction, because each one takes seconds over a slow network


def has_tables(transaction: Transaction) -> bool:
    """Return whether an exporter has created the tables; raise RefusedError if this release cannot read them.

    This is for commands that only read, so it creates and migrates nothing.
    """
    version = _check_version(transaction)
    if version not in {None, len(_MIGRATIONS)}:
        raise RefusedError(
            f"the database has the tables of an earlier release (schema {version}, this release reads "
            f"{len(_MIGRATIONS)}): start an exporter of this release, which migrates them"
        )
    return version is not None


def _prepare(transaction: Transaction) -> None:
    if _check_version(transaction) != len(_MIGRATIONS):
        _migrate(transaction)


def _check_version(transaction: Transaction) -> int | None:
    """Return the schema version, None without tables; raise RefusedError if a newer release has migrated them."""
    _check_server(transaction)
    if not transaction.execute("SELECT to_regclass('exporter_schema') IS NOT NULL")[0][0]:
        return None
    version = _version(transaction)
    if version > len(_MIGRATIONS):
        supported = f"this release supports {len(_MIGRATIONS)}"
        raise RefusedError(
            f"the database was migrated by a newer release (schema {version}, {supported}): run that release"
        )
    return version


def _check_tables(transaction: Transaction) -> None:
    """Raise RefusedError if a table is missing, or if the role may not change its rows."""
    for table in _TABLES:
        rights = ", ".join(f"has_table_privilege(to_regclass('{table}'), '{right}')" for right in _RIGHTS)
        (found,) = transaction.execute(f"SELECT {rights}")
        if None in found:
            raise RefusedError(f"the table {table} is missing: restore it, or use an empty database or schema")
        if not all(found):
            grant = f"GRANT {', '.join(_RIGHTS)} ON {table}"
            raise RefusedError(f"permission denied for table {table}: {grant}, or make the role its owner")


def _check_server(transaction: Transaction) -> None:
    ((version, text, is_read_only),) = transaction.execute(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version'),"
        " current_setting('transaction_read_only') = 'on'"
    )
    if version < MIN_SERVER_VERSION:
        raise RefusedError(f"PostgreSQL {text} is too old: version {MIN_SERVER_VERSION // 10000} or newer is required")
    if is_read_only:
        raise RefusedError("the database is read-only: use the address of the primary, not of a standby")


def _migrate(transaction: Transaction) -> None:
    """Run the missing steps. Replicas that start together wait for the first one, and then have no missing steps."""
    transaction.execute("SELECT set_config('lock_timeout', '5s', true), pg_advisory_xact_lock(%s)", [_LOCK])
    transaction.execute("CREATE TABLE IF NOT EXISTS exporter_schema (version integer NOT NULL)")
    for step in _MIGRATIONS[_version(transaction) :]:
        transaction.execute(step)
    transaction.execute("DELETE FROM exporter_schema")
    transaction.execute("INSERT INTO exporter_schema VALUES (%s)", [len(_MIGRATIONS)])


def _version(transaction: Transaction) -> int:
    """Return the schema version; 0 without one, for example in a dump that was restored without rows."""
    found = transaction.execute("SELECT version FROM exporter_schema")
    return int(found[0][0]) if found else 0
