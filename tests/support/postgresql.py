"""A real PostgreSQL server for the tests, with a database for each of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psycopg
import trustme

from tests.support.harness import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping

PASSWORD = "secret of the test"  # noqa: S105 (the server lives as long as the tests)
_USER = "postgres"
_FAST = {"fsync": "off", "max_connections": "200", "shared_buffers": "32MB", "log_min_messages": "fatal"}


def program(name: str) -> str:
    """Return the path of a program of PostgreSQL, which Debian does not put on the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    path = shutil.which(name) or (str(found[-1]) if found else None)
    assert path, f"{name} is not installed: run tests/install-tools postgresql"
    return path


class PostgreSqlServer:
    """A server on loopback; a context manager that creates its files, starts it, and removes both."""

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="qbusiness-exporter-postgresql-"))
        self.data = self.directory / "data"
        self.port = free_port()
        self._settings = {**_FAST, **(settings or {})}
        self._databases = 0

    def __enter__(self) -> Self:
        """Create a cluster, and start the server."""
        password = self.directory / "password"
        password.write_text(PASSWORD)
        self._issue_certificate()
        if os.getuid() == 0:  # the server refuses to run as root
            for path in (self.directory, *self.directory.iterdir()):
                shutil.chown(path, _USER, _USER)
        self.run(
            "initdb", "-D", str(self.data), "-U", _USER, "-A", "scram-sha-256", f"--pwfile={password}", "-E", "UTF8"
        )
        self.start()
        return self

    def _issue_certificate(self) -> None:
        """Write a certificate for 127.0.0.1, its key, and the certificate of its authority."""
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1")
        authority.cert_pem.write_to_path(self.directory / "authority.pem")
        certificate.cert_chain_pems[0].write_to_path(self.directory / "server.pem")
        key = self.directory / "server.key"
        certificate.private_key_pem.write_to_path(key)
        key.chmod(0o600)

    def __exit__(self, *_: object) -> None:
        """Stop the server, and remove its files."""
        self.stop()
        shutil.rmtree(self.directory)

    def start(self) -> None:
        """Start the server, and wait until it accepts connections."""
        tls = {"ssl": "on", "ssl_cert_file": "../server.pem", "ssl_key_file": "../server.key"}
        settings = {"port": str(self.port), "unix_socket_directories": str(self.directory), **tls, **self._settings}
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self.run("pg_ctl", "-D", str(self.data), "-l", str(self.directory / "log"), "-w", "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server, by default without ending its sessions properly."""
        self.run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    def run(self, name: str, *arguments: str) -> None:
        """Run a program of PostgreSQL as the user of the server."""
        self._run_command(program(name), *arguments)

    def _run_command(self, *command: str) -> None:
        user: dict[str, Any] = {"user": _USER, "group": _USER, "extra_groups": []} if os.getuid() == 0 else {}
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            text=True,
            cwd=self.directory,
            **user,
        )
        assert done.returncode == 0, f"{command[0]}: {done.stdout}"

    def copy_data(self, copy: Path) -> None:
        """Copy the files of the stopped server, as for a standby that lags behind from now on."""
        self._run_command("cp", "--archive", str(self.data), str(copy))

    def replace_data(self, copy: Path) -> None:
        """Continue with copied files instead of the stopped server's own."""
        shutil.rmtree(self.data)
        copy.rename(self.data)

    def create_database(self) -> str:
        """Create an empty database, and return its URL with a password."""
        self._databases += 1
        name = f"test_{self._databases}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def close_database(self, url: str) -> None:
        """Refuse connections to a database, and end the existing ones."""
        name = url.rpartition("/")[2]
        self.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")  # noqa: S608

    def open_database(self, url: str) -> None:
        """Accept connections to a database again."""
        self.execute(f"ALTER DATABASE {url.rpartition('/')[2]} WITH ALLOW_CONNECTIONS true")

    def url(self, database: str = _USER, user: str = _USER, password: str = PASSWORD) -> str:
        """Return the URL of a database."""
        return f"postgresql://{user}:{password.replace(' ', '%20')}@127.0.0.1:{self.port}/{database}"

    def execute(self, sql: str, url: str | None = None) -> list[tuple[Any, ...]]:
        """Run a statement, and return its rows."""
        with psycopg.connect(url or self.url(), autocommit=True) as connection:
            cursor = connection.execute(sql)  # type: ignore[arg-type, unused-ignore]  # SQL of a test
            return cursor.fetchall() if cursor.description else []
