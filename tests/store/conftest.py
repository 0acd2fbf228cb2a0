"""Fixtures of the tests of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.postgresql import PostgreSqlServer
from tests.support.stores import PostgreSqlBackend, SqliteBackend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.stores import Backend


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return the path of a state file that does not exist yet."""
    return str(tmp_path / "state.db")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSqlServer]:
    """Run one PostgreSQL server for all tests of the worker."""
    with PostgreSqlServer() as server:
        yield server


@pytest.fixture
def database(postgresql: PostgreSqlServer) -> str:
    """Return the URL of an empty database."""
    return postgresql.create_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest, path: str) -> Backend:
    """Return an empty place for the state, of each kind."""
    if request.param == "sqlite":
        return SqliteBackend(path)
    return PostgreSqlBackend(request.getfixturevalue("postgresql"))
