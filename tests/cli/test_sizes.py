"""Sizes of files as text."""

from __future__ import annotations

import pytest

from exporter.cli.sizes import format_size, parse_size


@pytest.mark.parametrize(
    ("text", "size"), [("0B", 0), ("10KiB", 10_240), ("2GiB", 2_147_483_648), ("1.5MB", 1_500_000), ("3TB", 3 * 10**12)]
)
def test_sizes_have_a_unit(text: str, size: int) -> None:
    """Binary and decimal units differ."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "2", "GiB", "2 GiB", "2gib", "-1GiB", "1e3B", "2GiBs"])
def test_anything_else_is_rejected(text: str) -> None:
    """The message shows the format."""
    with pytest.raises(ValueError, match="is not a size: write it as 500MiB or 2GiB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0B"), (1023, "1023B"), (2**31, "2GiB"), (123_456_789, "117.7MiB"), (10**15, "909.5TiB")]
)
def test_sizes_are_shown_with_one_decimal(size: int, text: str) -> None:
    """The unit is the largest that the size reaches."""
    assert format_size(size) == text
