"""The state of one data source between polls."""

from __future__ import annotations

import threading
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from exporter.domain.model import Names
from exporter.domain.unreadable import UnreadableResource
from exporter.polling.description import DescriptionState
from exporter.polling.watermark import FULL_REREAD_INTERVAL
from exporter.target.source_log import name_and_id, source_fields

if TYPE_CHECKING:
    from exporter.domain.counting.source_history import SourceHistory
    from exporter.domain.documents import DocumentsByStatus
    from exporter.domain.model import DataSource, SourceId
    from exporter.domain.objective_record import ObjectiveRecord
    from exporter.domain.snapshots import PollFailure, SavedSource
    from exporter.errors import ProviderError, Reason
    from exporter.runtime import AwsClock, Lock

logger = structlog.get_logger()


@dataclass(slots=True, eq=False)
class SourceState:
    """The state of a data source between polls.

    `reread_period` is the period of six hours in which the source was last read in full. `polled_at` is the time of the
    last successful poll on AWS's clock, and `failure` is the error of the last poll if that failed. `warned` has the
    warnings that were logged, and `saved` is what the state file stores about the source besides its history. Until
    `are_names_resolved`, `names` are the earlier names of the source, and `name_error` is the reason why AWS did not
    return new ones. `documents` is the last complete count of the documents, and `count_error` is the reason why a
    later count failed. `first_clock` is the clock reading that has set the start of counting; None if an earlier
    process has set it. `awaits_poll` is true if this process has exposed a later poll than the saved one, so that the
    source is not published before its first poll.

    Only one poll at a time changes a state, but the discovery thread and a reload use the state as well. All of them
    hold `mutex` while they change the published values, and until these are published. Otherwise an older snapshot
    could replace a newer one. A poll does not hold it during its requests, so a slow response blocks neither discovery
    nor a reload.
    """

    source: DataSource
    history: SourceHistory | None
    reread_period: int | None
    names: Names | None = None
    are_names_resolved: bool = False
    name_error: Reason | None = None
    was_polled: bool = False
    failure: PollFailure | None = None
    polled_at: float | None = None
    warned: set[str] = field(default_factory=set)
    description: DescriptionState = field(default_factory=DescriptionState)
    objectives: ObjectiveRecord | None = None
    saved: SavedSource | None = None
    documents: DocumentsByStatus | None = None
    count_error: ProviderError | None = None
    first_clock: AwsClock | None = None
    mutex: Lock = field(default_factory=threading.Lock)
    awaits_poll: bool = False

    @property
    def failing(self) -> Reason | None:
        """The reason why the last poll failed; None if it succeeded."""
        return self.failure.reason if self.failure else None

    @property
    def is_syncing(self) -> bool:
        """Whether a sync was in progress at the last poll."""
        return bool(self.history and self.history.jobs_in_progress())

    @property
    def logger(self) -> structlog.stdlib.BoundLogger:
        """The logger whose lines identify the source."""
        bound: structlog.stdlib.BoundLogger = logger.bind(**source_fields(self.source, self.names))
        return bound

    def undescribed(self) -> UnreadableResource | None:
        """Return why the last request for the description or a name failed; None if it did not."""
        error, name_error = self.description.last_error, self.name_error
        if error:
            return UnreadableResource.of(self._text(), error)
        return UnreadableResource(f"a name of {self._text()}", name_error) if name_error else None

    def uncounted(self) -> UnreadableResource | None:
        """Return why the last count of the documents failed; None if it did not."""
        return UnreadableResource.of(f"the documents of {self._text()}", self.count_error) if self.count_error else None

    def _text(self) -> str:
        names, source = self.names or Names("", ""), self.source.id
        root = f"{source.service.root.text} {name_and_id(names.root, source.root.own)}"
        return f"data source {name_and_id(names.data_source, source.data_source_id)} of {root}"


def reread_period(source: SourceId, now: float) -> int:
    """Return the number of the reread period at a time on AWS's clock. Each period has one full read.

    A period is FULL_REREAD_INTERVAL long. Its start depends on the id of the source, so that the rereads of many
    sources are spread out. It does not depend on the start of the exporter, because then each restart would postpone
    the reread.
    """
    offset = zlib.crc32(str(source).encode()) / 2**32
    return int(now / FULL_REREAD_INTERVAL + offset)
