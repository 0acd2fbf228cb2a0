"""Fixtures of the tests of the exposition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.exposition_page import ExpositionPage

if TYPE_CHECKING:
    from tests.support.builders import FakeClock


@pytest.fixture
def page(clock: FakeClock) -> ExpositionPage:
    """Return an exposition without data sources."""
    return ExpositionPage.empty(clock)
