"""A data source between the target that a reload replaces and the target that continues with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.polling.queue import QueueEntry
    from exporter.polling.source_state import SourceState


@dataclass(frozen=True, slots=True)
class Handover:
    """A data source's state, its entry in the poll queue, and the name of the target that detached it."""

    state: SourceState
    entry: QueueEntry | None
    target: str
