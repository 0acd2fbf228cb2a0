"""Tests of the random configurations."""

from __future__ import annotations

from fnmatch import fnmatchcase
from random import Random
from typing import Any

from simulation.settings import NAME_SUFFIX, vary


def test_a_filter_treats_a_renamed_data_source_as_before() -> None:
    """The program reads a new name hours later, so a filter must match both names or neither."""
    base: dict[str, Any] = {"targets": [{"discovery": {}}], "polling": {}}
    varied = [vary(Random(seed), base)["targets"][0]["discovery"].get("exclude") for seed in range(100)]
    filters = [[matcher["data_source"] for matcher in exclude] for exclude in varied if exclude]
    assert filters
    for globs in filters:
        for name in ("source-account-0-0", "source-account-0-1", "late-account-0-2"):
            names = name, f"{name}{NAME_SUFFIX}", f"{name}{NAME_SUFFIX}{NAME_SUFFIX}"
            assert len({any(fnmatchcase(each, glob) for glob in globs) for each in names}) == 1
