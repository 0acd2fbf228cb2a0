"""The first pass, in which each data source is found and polled once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.app.running_targets import RunningTargets


class FirstPass:
    """Reports the progress of the first pass of all targets, and why the exporter is not ready yet."""

    def __init__(self, targets: RunningTargets) -> None:
        self._targets = targets
        self._was_ready = False

    def is_on(self) -> bool:
        """Return whether the first discovery run or the first pass of polls of any target is in progress."""
        return any(target.unready() for target in self._targets.current)

    def has_succeeded(self) -> bool:
        """Return whether any target has succeeded."""
        return any(target.has_succeeded() for target in self._targets.current)

    def polled(self) -> tuple[int, int]:
        """Return the number of data sources that have been polled, and the number of known ones."""
        counts = [target.workers.polled() for target in self._targets.current]
        return sum(done for done, _ in counts), sum(total for _, total in counts)

    def unready(self) -> str | None:
        """Return why the first pass has not ended; None once it has.

        Neither a later outage nor a target that a reload adds makes the exporter unready again.
        """
        reason = None if self._was_ready else self._not_yet_ready()
        self._was_ready = reason is None
        return reason

    def _not_yet_ready(self) -> str | None:
        if reason := self._targets.unready():
            return reason
        if not self._targets.current:
            return None  # other replicas own all targets
        reasons = ((target.name, target.unready()) for target in self._targets.current)
        waiting = next((f"target {name}: {reason}" for name, reason in reasons if reason), None)
        if waiting is None and self.has_succeeded():
            return None
        down = [
            f"target {target.name}: {error}"
            for target in self._targets.current
            if (error := target.reachability.last_error)
        ]
        return "; ".join([waiting or "no poll has succeeded yet", *down])
