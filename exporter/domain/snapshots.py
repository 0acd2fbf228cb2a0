"""What the write half hands to the read half: one immutable snapshot per data source and per index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.domain.model import DataSource, Description, IndexFacts, IndexId, Location, Names
    from exporter.domain.source_history import SourceHistory


@dataclass(frozen=True, slots=True)
class SourceSnapshot:
    """What the scrape half gets to see of one data source: all of a poll's effects or none.

    `index` is the settled name of its index, `about` what AWS says of it; neither is there before it is settled.
    Whether the last poll succeeded is not known after a restart, until there is one.
    """

    source: DataSource
    names: Names
    history: SourceHistory | None
    poll_succeeded: bool | None
    polled_at: float | None
    index: str = ""
    description: Description | None = None
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class IndexSnapshot:
    """What the scrape half gets to see of one index, with its settled names."""

    id: IndexId
    application: str
    name: str
    facts: IndexFacts
    location: Location


@dataclass(frozen=True, slots=True)
class SavedSource:
    """A data source as it was last found, to go on from after a restart."""

    source: DataSource
    index: str
    description: Description
