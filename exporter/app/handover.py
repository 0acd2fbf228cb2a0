"""What a target that a reload replaces leaves to the target that continues with a data source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.polling.poller import SourceState
    from exporter.polling.queue import QueueEntry


@dataclass(frozen=True, slots=True)
class Handover:
    """A data source as the target of that name left it: what was polled of it, and when it is due."""

    source: SourceState
    entry: QueueEntry | None
    target: str
