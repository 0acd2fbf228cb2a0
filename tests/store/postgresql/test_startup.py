"""The start of a replica: a database that refuses it, one that cannot be reached, and several replicas at once."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme

from exporter import files
from exporter.domain.replicas import Replica
from exporter.errors import StartupError
from exporter.runtime import System
from exporter.store.postgresql import DatabaseSettings, Session, SharedState, Watchdog, schema
from tests.support.harness import eventually, free_port
from tests.support.state_files import KEY, make_history
from tests.support.stepped_replica import SteppedReplica, key, target

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.postgresql import PostgreSqlServer

ROOT = Path(__file__).parents[3]


def no_token(_: object) -> str:
    """Fail the test, because no token may be requested."""
    pytest.fail("a token was requested")


def open_state(url: str, password_file: str | None = None) -> SharedState:
    """Open the state of a replica."""
    host = System()
    session = Session(DatabaseSettings(url, password_file), Watchdog(host), no_token)
    return SharedState(session, Replica("test", "test"), host, on_write_failure=lambda: None)


def wrong_password(server: PostgreSqlServer) -> str:
    """Return the URL of a database with another password."""
    return server.url(password="wrong")  # noqa: S106 (wrong)


def missing_database(server: PostgreSqlServer) -> str:
    """Return the URL of a database that does not exist."""
    return server.url("nowhere")


def missing_role(server: PostgreSqlServer) -> str:
    """Return the URL of a role that does not exist; the server reports it as a wrong password."""
    return server.url(user="nobody")


def missing_rights(server: PostgreSqlServer) -> str:
    """Return the URL of a role that may not create tables."""
    name = server.create_database().rpartition("/")[2]
    server.execute(f"CREATE ROLE reader_{name} LOGIN PASSWORD 'reader'")
    return server.url(name, f"reader_{name}", "reader")


def read_only_database(server: PostgreSqlServer) -> str:
    """Return the URL of a database that only reads, as a standby does."""
    url = server.create_database()
    server.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET default_transaction_read_only = on")
    return url


def foreign_tables(server: PostgreSqlServer) -> str:
    """Return the URL of a database with tables of another program."""
    url = server.create_database()
    server.execute("CREATE TABLE job (id integer)", url)
    return url


def newer_schema(server: PostgreSqlServer) -> str:
    """Return the URL of a database that a newer release has migrated."""
    url = server.create_database()
    open_state(url).close()
    server.execute("UPDATE exporter_schema SET version = 99", url)
    return url


def reading_role(server: PostgreSqlServer) -> str:
    """Return the URL of a role that may only read the tables of another one."""
    url = server.create_database()
    open_state(url).close()
    name = url.rpartition("/")[2]
    server.execute(f"CREATE ROLE auditor_{name} LOGIN PASSWORD 'auditor'")
    server.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO auditor_{name}", url)
    return server.url(name, f"auditor_{name}", "auditor")


def missing_table(server: PostgreSqlServer) -> str:
    """Return the URL of a database in which the restore of a dump has ended too early."""
    url = server.create_database()
    open_state(url).close()
    server.execute("DROP TABLE job", url)
    return url


def schema_without_rows(server: PostgreSqlServer) -> str:
    """Return the URL of a database in which a dump was restored without its rows."""
    url = server.create_database()
    open_state(url).close()
    server.execute("DELETE FROM exporter_schema", url)
    return url


def wrong_authority(server: PostgreSqlServer) -> str:
    """Return a URL that trusts an authority other than the server's."""
    trustme.CA().cert_pem.write_to_path(server.directory / "other.pem")
    return f"{server.create_database()}?sslmode=verify-full&sslrootcert={server.directory}/other.pem"


def wrong_host(server: PostgreSqlServer) -> str:
    """Return a URL with a name that the certificate of the server does not have."""
    url = server.create_database().replace("127.0.0.1", "localhost")
    return f"{url}?sslmode=verify-full&sslrootcert={server.directory}/authority.pem"


def wrong_parameter(server: PostgreSqlServer) -> str:
    """Return a URL that libpq does not understand."""
    return f"{server.create_database()}?no_such_parameter=1"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (wrong_password, "password authentication failed .* check the user and the password"),
        (missing_database, 'database "nowhere" does not exist.*: create the database'),
        (missing_role, "password authentication failed"),
        (missing_rights, "permission denied for schema public.*: grant the role CREATE on its schema"),
        (read_only_database, "read-only.*: use the address of the primary, not of a standby"),
        (foreign_tables, 'relation "job" already exists.*: use an empty database or schema'),
        (reading_role, "permission denied for table replica: GRANT SELECT, INSERT, UPDATE, DELETE ON replica, or make"),
        (missing_table, "the table job is missing: restore it, or use an empty database or schema"),
        (schema_without_rows, 'relation "replica" already exists.*: use an empty database or schema'),
        (newer_schema, r"migrated by a newer release \(schema 99, this release supports 2\): run that release"),
        (wrong_authority, "certificate verify failed.*: check sslrootcert, and that the certificate has the name"),
        (wrong_host, 'certificate for "127.0.0.1" does not match host name "localhost".*: check sslrootcert'),
        (wrong_parameter, "state.url is not a URL that libpq understands"),
    ],
)
def test_a_database_that_refuses_the_exporter_ends_the_start(
    postgresql: PostgreSqlServer, url: Callable[[PostgreSqlServer], str], problem: str
) -> None:
    """The message has advice for the operator, and no password."""
    with pytest.raises(StartupError, match=problem) as refused:
        open_state(url(postgresql))
    assert "secret of the test" not in str(refused.value)
    assert "secret%20of" not in str(refused.value)


def test_the_documented_role_needs_no_other_rights(postgresql: PostgreSqlServer) -> None:
    """It creates the tables, owns a target, commits and leaves."""
    sql = (ROOT / "docs" / "replicas.md").read_text().partition("```sql\n")[2].partition("```")[0]
    for statement in filter(str.strip, sql.replace("'…'", "'exporter'").split(";")):
        postgresql.execute(statement)
    assert postgresql.execute("SELECT rolsuper FROM pg_roles WHERE rolname = 'exporter'") == [(False,)]
    with SteppedReplica(postgresql.url("exporter", "exporter", "exporter"), "r", target(1)) as replica:
        assert replica.beat() == {key(1)}
        replica.partition(1).commit({KEY: make_history(1)})
        replica.coordinator.leave()
        assert replica.beat() == {key(1)}
        assert replica.partition(1).history(KEY) == make_history(1)


def test_a_certificate_is_verified(postgresql: PostgreSqlServer, database: str) -> None:
    """With sslmode=verify-full, the session is encrypted, and the authority and the name must match the server."""
    url = f"{database}?sslmode=verify-full&sslrootcert={postgresql.directory}/authority.pem"
    with SteppedReplica(url, "a", target(1)) as replica:
        assert replica.beat() == {key(1)}
        sql = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE pid = pg_backend_pid()"
        assert replica.session.run(lambda transaction: transaction.execute(sql)) == [(True,)]


def test_an_old_server_is_refused(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has its version."""
    monkeypatch.setattr(schema, "MIN_SERVER_VERSION", 990000)
    with pytest.raises(StartupError, match=r"PostgreSQL \d+.* is too old: version 99 or newer is required"):
        open_state(database)


def test_a_database_that_cannot_be_reached_is_waited_for(postgresql: PostgreSqlServer, database: str) -> None:
    """Until then no target is owned, and the reason is reported. Afterwards the replica starts automatically."""
    postgresql.close_database(database)
    state = open_state(database)
    state.configure([target(1)])
    state.start(lambda: None)
    try:
        eventually(lambda: "not currently accepting connections" in (state.unready() or ""))
        assert (state.is_up, state.owned([target(1)])) == (False, {})
        postgresql.open_database(database)
        eventually(lambda: state.is_up and state.owned([target(1)]))
        assert state.unready() is None
    finally:
        state.close()


def test_a_port_without_a_server_does_not_end_the_start() -> None:
    """The database may start after the exporter."""
    state = open_state(f"postgresql://exporter@127.0.0.1:{free_port()}/exporter")
    assert "database postgresql://exporter@127.0.0.1" in (state.unready() or "")
    state.close()


def test_a_standby_is_waited_for_while_another_host_cannot_be_reached(postgresql: PostgreSqlServer) -> None:
    """The primary has failed, and the standby is not promoted yet."""
    standby = read_only_database(postgresql).replace("@", f"@127.0.0.1:{free_port()},")
    state = open_state(standby)
    assert "read-only" in (state.unready() or "")
    state.close()


def test_replicas_that_start_together_migrate_once(database: str) -> None:
    """A Deployment starts all of its pods at the same time."""
    watchdog, errors = Watchdog(System()), []

    def migrate() -> None:
        session = Session(DatabaseSettings(database), watchdog, no_token)
        try:
            schema.prepare(session)
        except Exception as error:  # noqa: BLE001 (reported below)
            errors.append(error)
        session.close()

    threads = [threading.Thread(target=migrate) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    watchdog.stop()
    assert errors == []


def test_the_password_file_is_read_for_each_connection(postgresql: PostgreSqlServer, tmp_path: Path) -> None:
    """A rotated secret is used without a restart."""
    name = postgresql.create_database().rpartition("/")[2]
    postgresql.execute(f"CREATE ROLE rotated LOGIN PASSWORD 'first'; GRANT ALL ON DATABASE {name} TO rotated")
    postgresql.execute("GRANT ALL ON SCHEMA public TO rotated", postgresql.url(name))
    file = tmp_path / "password"
    file.write_text("first\n")
    url = f"postgresql://rotated@127.0.0.1:{postgresql.port}/{name}"
    open_state(url, str(file)).close()
    postgresql.execute("ALTER ROLE rotated PASSWORD 'second'")
    with pytest.raises(StartupError, match="check the user and the password"):
        open_state(url, str(file))
    file.write_text("second")
    open_state(url, str(file)).close()


def test_a_password_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The start fails with its path, even if it is a pipe without a writer."""
    monkeypatch.setattr(files, "END_TIMEOUT", 0.1)
    os.mkfifo(tmp_path / "pipe")
    for file in (tmp_path / "missing", tmp_path / "pipe"):
        with pytest.raises(StartupError, match=f"state.password_file {file} cannot be read"):
            open_state("postgresql://exporter@127.0.0.1/exporter", str(file))
