"""What targets are made from, share, and leave to each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from exporter.aws import Connection
from exporter.exposition import Section
from exporter.runtime import System
from exporter.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.app.ownership import Claims
    from exporter.config import PollingConfig, TargetConfig
    from exporter.domain.history import Policy
    from exporter.domain.model import IndexSnapshot, SourceSnapshot
    from exporter.metrics.telemetry import Telemetry
    from exporter.polling.poller import Watch
    from exporter.polling.queue import Standing
    from exporter.runtime import Clock, Event, Host


@dataclass(frozen=True, slots=True)
class Outside:
    """What a simulation has of its own: the host, the way to AWS, the state file, the page, and chance."""

    host: Host = field(default_factory=System)
    connect: Callable[..., Connection] = Connection
    open_state: Callable[[str, Callable[[], None]], Store] = Store
    section: Callable[[Any, Clock], Section[Any]] = Section
    dice: Random = field(default_factory=Random)


@dataclass(frozen=True, slots=True)
class Shared:
    """What all targets have in common."""

    sources: Section[SourceSnapshot]
    indexes: Section[IndexSnapshot]
    store: Store
    telemetry: Telemetry
    claims: Claims
    outside: Outside
    stopping: Event


@dataclass(frozen=True, slots=True)
class Left:
    """A data source as a target left it, for whichever target goes on with it."""

    watch: Watch
    standing: Standing | None
    target: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything of the configuration that a target follows from."""

    target: TargetConfig
    polling: PollingConfig
    policy: Policy
