"""Checks of the fuzz targets."""

from __future__ import annotations


def require(condition: object) -> None:
    """Raise AssertionError, which is a finding of the fuzzer, unless a condition holds."""
    assert condition
