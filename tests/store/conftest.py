"""Fixtures of the tests of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.stores import PostgreSqlBackend, SqliteBackend

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.stores import Backend


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return the path of a state file that does not exist yet."""
    return str(tmp_path / "state.db")


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest, path: str) -> Backend:
    """Return an empty place for the state, of each kind."""
    if request.param == "sqlite":
        return SqliteBackend(path)
    return PostgreSqlBackend(request.getfixturevalue("postgresql"))
