"""The latest runs of a data source as bars: how long each took, and what came of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

BARS, STEP, WIDTH, HEIGHT = 20, 8, 6, 32  # how many, and pixels
LEAST = 3  # pixels: a run of no time at all is one all the same

SHAPES = {"SUCCEEDED": "ok", "INCOMPLETE": "part", "FAILED": "bad", "ABORTED": "off"}
"""How terminal statuses are drawn; what is in progress, or unknown, is `run`."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One run: where its bar stands, what it looks like, and the run."""

    x: int
    height: float
    shape: str
    run: dict[str, Any]

    @property
    def y(self) -> float:
        """Give where it begins, from the top."""
        return HEIGHT - self.height


def bars(runs: Sequence[dict[str, Any]], now: float) -> list[Bar]:
    """Draw the latest runs, the newest on the right; a run in progress is as high as it has been running."""
    shown = list(reversed(runs[:BARS]))
    lengths = [seconds_of(run, now) for run in shown]
    longest = max(lengths, default=0.0) or 1.0
    first = BARS - len(shown)
    return [
        Bar((first + place) * STEP, _height(seconds, longest), SHAPES.get(run["status"], "run"), run)
        for place, (run, seconds) in enumerate(zip(shown, lengths, strict=True))
    ]


def seconds_of(run: dict[str, Any], now: float) -> float:
    """Give how long a run took, or has been running; 0 where its end was not said."""
    so_far: float = 0.0 if run["ended"] else now - run["started_at"]
    duration: float | None = run["duration_seconds"]
    return max(0.0, so_far if duration is None else duration)


def _height(seconds: float, longest: float) -> float:
    # By its square root: next to a run of thirty hours one of two minutes would be no bar at all.
    return round(LEAST + (HEIGHT - LEAST) * math.sqrt(seconds / longest), 1)
