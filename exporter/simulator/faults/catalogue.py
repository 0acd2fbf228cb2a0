"""What can go wrong on demand: one table of faults, each a change to an answer."""

from __future__ import annotations

import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from exporter.simulator.faults.edits import EDITS, JOB_EDITS, LISTS
from exporter.simulator.faults.fault import Fault
from exporter.simulator.faults.responses import ANSWERS

if TYPE_CHECKING:
    from exporter.simulator.wire import Call, Response

KINDS = ANSWERS.keys() | EDITS.keys() | JOB_EDITS.keys()


class Faults:
    """The faults in force; may be changed while the service runs."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._mutex = threading.Lock()

    def add(self, kind: str, **where: Any) -> Fault:  # noqa: ANN401 (Fault's own fields)
        """Put a fault in force."""
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is no fault: {', '.join(sorted(KINDS))}")
        fault = Fault(kind, **where)
        with self._mutex:
            self._faults.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        """Take a fault out of force; one that is not in force is left alone."""
        with self._mutex:
            self._faults = [other for other in self._faults if other is not fault]

    def clear(self) -> None:
        """Let everything work again."""
        with self._mutex:
            self._faults.clear()

    def in_force(self) -> list[Fault]:
        """Give the faults that were put in force, those used up included."""
        with self._mutex:
            return list(self._faults)

    def take(self, call: Call, now: float) -> Fault | None:
        """Give the fault that befalls a call, once."""
        with self._mutex:
            fault = next((fault for fault in self._faults if fault.matches(call, now)), None)
            if fault and fault.times is not None:
                fault.times -= 1
            return fault


def apply(fault: Fault, call: Call, response: Response) -> Response:
    """Give what the service answers under a fault."""
    if change := ANSWERS.get(fault.kind):
        return change(fault, call, response)
    is_good = response.status < HTTPStatus.BAD_REQUEST
    if edit := EDITS.get(fault.kind):
        return edit(call, response) if is_good and call.operation in LISTS else response
    return JOB_EDITS[fault.kind](call, response) if is_good and call.operation == "ListDataSourceSyncJobs" else response
