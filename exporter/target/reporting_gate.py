"""The gate through which a target reports, and which a reload closes when it replaces the target."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, ParamSpec

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")


class ReportingGate:
    """Lets a target report until it is closed, and nothing afterwards; for any thread.

    Requests that are in flight when a reload replaces a target end later. Their results may be older than those of the
    successor, or belong to a target that is no longer configured. Example: a request is sent with a role that may not
    be assumed any more. Its error would set `target_up` to 0 for the new role.

    Invariant: once `close` has returned, no function is called or still in progress. Functions that are called must
    neither send requests nor use the gate.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._is_open = True

    def report(self, function: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Call the function, unless the gate is closed."""
        with self._mutex:
            if self._is_open:
                function(*args, **kwargs)

    @property
    def is_open(self) -> bool:
        """Whether the target still reports."""
        return self._is_open

    def close(self) -> None:
        """Wait for a call in progress, and allow no further one."""
        with self._mutex:
            self._is_open = False
