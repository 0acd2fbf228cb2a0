"""Values that a new target continues with after a reload."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from exporter.app.discovery_run import DiscoveryRun
    from exporter.app.reachability import Reachability
    from exporter.discovery.reconciler import Reconciler
    from exporter.domain.model import SourceId
    from exporter.domain.snapshots import SavedSource
    from exporter.polling.queue_entry import QueueEntry
    from exporter.polling.source_state import SourceState
    from exporter.store.table_store import TableStore


@dataclass(frozen=True, slots=True)
class Handover:
    """A data source's state and queue entry, and the name and the store of the target that detached it."""

    state: SourceState
    entry: QueueEntry | None
    target: str
    store: TableStore


@dataclass(frozen=True, slots=True)
class Inheritance:
    """The values with which one new target continues the targets before a reload; empty at the start.

    `handovers` are the detached data sources of all replaced targets. The new target removes the ones that it adopts.
    `found` are the sources that discovery has found in the continued targets. `others` are the sources of all other
    targets, which the new target must not adopt because of its name.
    """

    is_reload: bool = False
    handovers: dict[SourceId, Handover] = field(default_factory=dict)
    found: Sequence[SavedSource] = ()
    others: AbstractSet[SourceId] = frozenset()
    reconcilers: Sequence[Reconciler] = ()
    reachability: Reachability | None = None
    discovery: DiscoveryRun | None = None
