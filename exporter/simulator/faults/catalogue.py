"""All kinds of faults, and the faults that are active in a service."""

from __future__ import annotations

import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from exporter.simulator.faults.edits import JOB_EDITS, LIST_EDITS
from exporter.simulator.faults.fault import Fault
from exporter.simulator.faults.responses import RESPONSE_FAULTS

if TYPE_CHECKING:
    from exporter.simulator.job_form import JobForm
    from exporter.simulator.wire import ApiCall, Response

FAULT_KINDS = RESPONSE_FAULTS.keys() | LIST_EDITS.keys() | JOB_EDITS.keys()


class ActiveFaults:
    """The faults of a service. They may change while it runs."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._mutex = threading.Lock()

    def add(self, kind: str, **where: Any) -> Fault:  # noqa: ANN401 (Fault's own fields)
        """Activate a fault and return it."""
        if kind not in FAULT_KINDS:
            raise ValueError(f"unknown fault {kind!r}, known faults: {', '.join(sorted(FAULT_KINDS))}")
        fault = Fault(kind, **where)
        with self._mutex:
            self._faults.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        """Deactivate a fault. Ignore one that is not active."""
        with self._mutex:
            self._faults = [other for other in self._faults if other is not fault]

    def clear(self) -> None:
        """Deactivate all faults."""
        with self._mutex:
            self._faults.clear()

    def active(self) -> list[Fault]:
        """Return the faults that were activated, including those with no uses left."""
        with self._mutex:
            return list(self._faults)

    def take(self, call: ApiCall, now: float) -> Fault | None:
        """Return the first fault that applies to a call, and count the use."""
        with self._mutex:
            fault = next((fault for fault in self._faults if fault.matches(call, now)), None)
            if fault and fault.times is not None:
                fault.times -= 1
            return fault


def apply(fault: Fault, call: ApiCall, response: Response, form: JobForm) -> Response:
    """Return the response to a call under a fault; raise ServiceError if the fault is an error of the service.

    `form` is the form in which the service lists sync jobs.
    """
    if change := RESPONSE_FAULTS.get(fault.kind):
        return change(fault, call, response)
    is_good = response.status < HTTPStatus.BAD_REQUEST
    if edit := LIST_EDITS.get(fault.kind):
        return edit(call, response) if is_good and call.operation.startswith("List") else response
    return JOB_EDITS[fault.kind](form)(call, response) if is_good and call.operation == form.operation else response
