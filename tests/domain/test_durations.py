"""Durations in the format of Prometheus."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("500ms", 0.5), ("90s", 90), ("1h30m", 5400), ("1d", 86400), ("1w", 604800), ("1y", 31536000), (0, 0)],
)
def test_durations_have_the_format_of_prometheus(text: object, seconds: float) -> None:
    """Units range from years to milliseconds, larger units first."""
    assert parse_duration(text) == seconds


@given(st.integers(1, 10**12))
def test_a_formatted_duration_parses_to_the_same_value(milliseconds: int) -> None:
    """Formatting loses no millisecond."""
    assert round(parse_duration(format_duration(milliseconds / 1000)) * 1000) == milliseconds
