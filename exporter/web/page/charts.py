"""The latest runs of a data source as a bar chart of their durations and statuses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

BARS = 20
STEP, WIDTH, HEIGHT = 8, 6, 32  # pixels
MIN_HEIGHT = 3  # pixels, so that a run without a duration is visible

SHAPES = {"SUCCEEDED": "ok", "INCOMPLETE": "part", "FAILED": "bad", "ABORTED": "off"}
"""The shapes of the terminal statuses. All others, including unknown ones, have the shape `run`."""


@dataclass(frozen=True, slots=True)
class Bar:
    """The bar of one run; `x` and `height` are in pixels."""

    x: int
    height: float
    shape: str
    run: dict[str, Any]

    @property
    def y(self) -> float:
        """The distance of the bar from the top of the chart."""
        return HEIGHT - self.height


def bars(runs: Sequence[dict[str, Any]], now: float) -> list[Bar]:
    """Return the bars of the latest runs, newest on the right.

    The duration of a run in progress is its age.
    """
    drawn = list(reversed(runs[:BARS]))
    durations = [seconds_of(run, now) for run in drawn]
    longest = max(durations, default=0.0) or 1.0
    first = BARS - len(drawn)
    return [
        Bar((first + position) * STEP, _height(seconds, longest), SHAPES.get(run["status"], "run"), run)
        for position, (run, seconds) in enumerate(zip(drawn, durations, strict=True))
    ]


def seconds_of(run: dict[str, Any], now: float) -> float:
    """Return the duration of a run, or its age if it is in progress; 0 if AWS reports no end."""
    so_far: float = 0.0 if run["ended"] else now - run["started_at"]
    duration: float | None = run["duration_seconds"]
    return max(0.0, so_far if duration is None else duration)


def _height(seconds: float, longest: float) -> float:
    # The height is a square root, because with a linear scale, a bar of two minutes would be invisible next to one of
    # thirty hours.
    return round(MIN_HEIGHT + (HEIGHT - MIN_HEIGHT) * math.sqrt(seconds / longest), 1)
