"""One fault, and the requests to which it applies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.simulator.wire import ApiCall


@dataclass(slots=True, eq=False)
class Fault:
    """A fault and its conditions: it applies to a request that meets all of them. `times` counts down to zero."""

    kind: str
    operation: str | None = None
    data_source_id: str | None = None
    application_id: str | None = None
    index_id: str | None = None
    page: int | None = None  # 1 is the first page, 2 any later one
    times: int | None = None
    until: float | None = None  # simulated time
    seconds: float = 0.5  # the delay of a slow response; a dripping one sends 25 bytes in this time
    megabytes: float = 5.0  # the padding of a huge response

    def matches(self, call: ApiCall, now: float) -> bool:
        """Return whether the fault applies to a call."""
        return (
            self.operation in {None, call.operation}
            and self.data_source_id in {None, call.source}
            and self.application_id in {None, call.application_id}
            and self.index_id in {None, call.index_id}
            and (self.page is None or self.page == min(call.page, 2))
            and (self.times is None or self.times > 0)
            and (self.until is None or now < self.until)
        )
