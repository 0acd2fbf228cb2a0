"""The requests that a simulated service has received."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.simulator.service import LoggedRequest, SimulatedService


def logged_requests(
    service: SimulatedService, operation: str | None = None, data_source_id: str | None = None
) -> list[LoggedRequest]:
    """Return all requests to a service, or only for one operation or about one data source."""
    return [
        request
        for request in list(service.requests)
        if operation in {None, request.call.operation} and data_source_id in {None, request.call.source}
    ]
