"""Rendering in advance, and targets that start meanwhile."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, cast

import pytest

from exporter.app.render_ahead import FIRST_PAGE_DELAY, MAX_POSTPONED, RENDER_INTERVAL, RenderAhead
from exporter.runtime import System
from tests.support.harness import eventually

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.exposition import Exposition
    from exporter.status.document import StatusDocument


class RenderedProgram:
    """The rest of the program: it records what happens, needs no time, and stops after a number of renderings."""

    def __init__(self, renderings: int) -> None:
        self.events: list[float | str] = []
        self._remaining = renderings

    def wait(self, seconds: float) -> bool:
        """Return whether the program stops, without waiting."""
        if self._remaining:
            self.events.append(seconds)
        return not self._remaining

    def refresh_cache(self) -> None:
        """Record that the data sources are assessed."""
        self.events.append("assess")

    def prepare(self, _seconds: float) -> Iterator[None]:
        """Record that series are rendered."""
        self.events.append("render")
        self._remaining -= 1
        return iter(())


@pytest.mark.parametrize(
    ("starting", "postponed"), [([False], 0), ([True, True, False], 2), (cycle([True]), int(MAX_POSTPONED))]
)
def test_targets_that_start_come_first(starting: Iterable[bool], postponed: int) -> None:
    """Nothing is assessed or rendered in advance meanwhile, but a target that never starts cannot prevent it."""
    program, answers = RenderedProgram(1), iter(starting)
    page, status = cast("Exposition", program), cast("StatusDocument", program)
    RenderAhead(page, status, System(), program, lambda: next(answers)).start()  # type: ignore[arg-type]
    eventually(lambda: program.events[-1:] == ["render"])
    assert program.events == [FIRST_PAGE_DELAY, "assess", RENDER_INTERVAL, *[1.0] * postponed, "assess", "render"]
