"""What targets are made from, share, and leave to each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from exporter.aws import AwsClient
from exporter.exposition import ExpositionCache
from exporter.runtime import System
from exporter.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.app.ownership import SourceOwnership
    from exporter.config import PollingConfig, TargetConfig
    from exporter.domain.history import CountingPolicy
    from exporter.domain.snapshots import IndexSnapshot, SourceSnapshot
    from exporter.metrics.telemetry import Telemetry
    from exporter.polling.poller import SourceState
    from exporter.polling.queue import QueueEntry
    from exporter.runtime import Clock, Event, Host


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a simulation has of its own: the host, the way to AWS, the state file, the page, and chance."""

    host: Host = field(default_factory=System)
    connect: Callable[..., AwsClient] = AwsClient
    open_state: Callable[[str, Callable[[], None]], Store] = Store
    section: Callable[[Any, Clock], ExpositionCache[Any]] = ExpositionCache
    dice: Random = field(default_factory=Random)


@dataclass(frozen=True, slots=True)
class SharedServices:
    """What all targets have in common."""

    sources: ExpositionCache[SourceSnapshot]
    indexes: ExpositionCache[IndexSnapshot]
    store: Store
    telemetry: Telemetry
    ownership: SourceOwnership
    overrides: Overrides
    stopping: Event


@dataclass(frozen=True, slots=True)
class Handover:
    """A data source as a target left it, for whichever target goes on with it."""

    watch: SourceState
    entry: QueueEntry | None
    target: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything of the configuration that a target follows from."""

    target: TargetConfig
    polling: PollingConfig
    policy: CountingPolicy
