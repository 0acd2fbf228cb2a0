"""The comparison of measured ratios with kept ones."""

from __future__ import annotations

from benchmarks.check.__main__ import best_of, worse


def test_a_ratio_is_worse_above_a_quarter_more() -> None:
    """A ratio that is not kept yet counts as worse, so that a new measure cannot be forgotten."""
    kept = {"start": 40.0, "page": 0.4}
    assert worse({"start": 49.9, "page": 0.1}, kept) == []
    assert worse({"start": 50.1, "page": 0.51}, kept) == ["start", "page"]
    assert worse({"start": 1.0, "poll": 1.0}, kept) == ["poll"]


def test_the_best_of_several_measurements_counts() -> None:
    """Other load can only make a ratio worse."""
    assert best_of([{"start": 3.0, "page": 1.0}, {"start": 2.0, "page": 5.0}]) == {"start": 2.0, "page": 1.0}
