"""One fault, and the requests that it applies to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.simulator.wire import Call


@dataclass(slots=True, eq=False)
class Fault:
    """A fault, and which requests it befalls: all that are given must fit; `times` counts down to none."""

    kind: str
    operation: str | None = None
    data_source_id: str | None = None
    application_id: str | None = None
    page: int | None = None  # 1 is the first, 2 any later one
    times: int | None = None
    until: float | None = None  # simulated time
    seconds: float = 0.5  # of a slow answer, or of some bytes of one that drips
    megabytes: float = 5.0  # of a huge one

    def matches(self, call: Call, now: float) -> bool:
        """Tell whether a call suffers it."""
        return (
            self.operation in {None, call.operation}
            and self.data_source_id in {None, call.data_source_id}
            and self.application_id in {None, call.application_id}
            and (self.page is None or self.page == min(call.page, 2))
            and (self.times is None or self.times > 0)
            and (self.until is None or now < self.until)
        )
