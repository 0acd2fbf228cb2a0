"""The work and the resources of a PostgreSQL server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psycopg

if TYPE_CHECKING:
    from tests.support.postgresql import PostgreSqlServer

SETTINGS = {"fsync": "on", "shared_buffers": "1GB"}


class ServerWork(NamedTuple):
    """The work of a server since its start: transactions, bytes of the write-ahead log, seconds of CPU time."""

    transactions: float
    log_bytes: float
    cpu: float

    def since(self, before: ServerWork) -> ServerWork:
        """Return the work after an earlier measurement."""
        return ServerWork(*(now - then for now, then in zip(self, before, strict=True)))

    def per(self, seconds: float) -> ServerWork:
        """Return the work per second of a period; the CPU time is then in processors."""
        return ServerWork(*(each / seconds for each in self))


class ServerMeter:
    """Reads the work of a server and of one database over a separate connection."""

    def __init__(self, server: PostgreSqlServer, url: str) -> None:
        self._postmaster = int((server.data / "postmaster.pid").read_text().split()[0])
        self.connection = psycopg.connect(url, autocommit=True)

    def read(self) -> ServerWork:
        """Return the work until now. Sessions report transactions with a delay of up to a second."""
        sql = (
            "SELECT xact_commit, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"
            " FROM pg_stat_database WHERE datname = current_database()"
        )
        found = self.connection.execute(sql).fetchone()
        assert found  # noqa: S101 (the database exists)
        return ServerWork(int(found[0]), int(found[1]), self._cpu())

    def database_bytes(self) -> int:
        """Return the size of the database."""
        found = self.connection.execute("SELECT pg_database_size(current_database())").fetchone()
        return int(found[0]) if found else 0

    def _cpu(self) -> float:
        """Return the CPU time of all processes of the server, including those that have ended."""
        children = Path(f"/proc/{self._postmaster}/task/{self._postmaster}/children").read_text().split()
        own = _times(self._postmaster)
        return (sum(own) + sum(sum(_times(int(child))[:2]) for child in children)) / os.sysconf("SC_CLK_TCK")


def _times(process: int) -> list[int]:
    """Return the ticks of a process and its ended children, in user and system mode."""
    return [int(ticks) for ticks in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:15]]
