"""A real PgBouncer between the tests and their PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING, Any, Self

from tests.support.harness import eventually, free_port
from tests.support.postgresql import PASSWORD

if TYPE_CHECKING:
    from tests.support.postgresql import PostgreSqlServer

POOL_SIZE = 2  # sessions with the server, for any number of clients


class PgBouncerServer:
    """A pooler on loopback; a context manager that starts and stops it."""

    def __init__(self, server: PostgreSqlServer, pool_mode: str) -> None:
        self._server = server
        self._mode = pool_mode
        self.port = free_port()
        self._file = server.directory / f"pgbouncer-{self.port}.ini"

    def __enter__(self) -> Self:
        """Start it, and wait until it accepts connections."""
        program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program, "pgbouncer is not installed: run tests/install-tools pgbouncer"
        self._file.write_text(
            f"[databases]\n* = host=127.0.0.1 port={self._server.port} user=postgres password='{PASSWORD}'\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nauth_type = any\nunix_socket_dir =\n"
            f"pool_mode = {self._mode}\ndefault_pool_size = {POOL_SIZE}\n"
        )
        self._file.chmod(0o644)
        user: dict[str, Any] = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
        self._process = subprocess.Popen(
            [program, "--quiet", str(self._file)], cwd=self._server.directory, stderr=subprocess.DEVNULL, **user
        )
        eventually(self._accepts_connections)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self._process.kill()
        self._process.wait()

    def url(self, database: str) -> str:
        """Return the URL of a database through the pooler."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database.rpartition('/')[2]}"

    def _accepts_connections(self) -> bool:
        assert self._process.poll() is None
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", self.port)) == 0
