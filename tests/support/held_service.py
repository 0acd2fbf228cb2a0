"""A simulated service that holds back responses until a test releases them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.simulator.server import SimulatedEndpoint
from exporter.simulator.wire import ServiceError, error_response
from tests.support.harness import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.simulator.wire import Request, Response

DENIED = ServiceError("AccessDeniedException", 403, "not authorized")


@dataclass
class _Hold:
    """The next requests of an operation, which wait for the release."""

    operation: str
    remaining: int
    waiting: int = 0
    released: threading.Event = field(default_factory=threading.Event)


class HeldService(SimulatedEndpoint):
    """An endpoint whose next requests can be held in flight, and are denied when they are released."""

    _holds: tuple[_Hold, ...] = ()
    _hold_mutex = threading.Lock()

    @contextmanager
    def holding(self, operation: str, requests: int) -> Iterator[None]:
        """Wait until the next requests of an operation are in flight, and deny them when the context ends."""
        hold = _Hold(operation, requests)
        self._holds = (*self._holds, hold)
        try:
            eventually(lambda: hold.waiting == requests)
            yield
        finally:
            hold.released.set()

    def respond(self, request: Request) -> Response:
        """Return the response; a held request waits and is denied."""
        hold = self._take(request)
        if hold is None:
            return super().respond(request)
        hold.released.wait()
        return error_response(DENIED)

    def _take(self, request: Request) -> _Hold | None:
        operation = self.parse_call(request).operation
        with self._hold_mutex:
            for hold in self._holds:
                if hold.remaining and hold.operation == operation:
                    hold.remaining -= 1
                    hold.waiting += 1
                    return hold
        return None
