"""Fixtures of the tests of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return the path of a state file that does not exist yet."""
    return str(tmp_path / "state.db")
