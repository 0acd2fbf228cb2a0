"""What targets are made from, share, and leave to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

    from exporter.agenda import Standing
    from exporter.cli.claims import Claims
    from exporter.config import PollingConfig, TargetConfig
    from exporter.exposition import Section
    from exporter.history import Policy
    from exporter.model import Clock, IndexSnapshot, SourceSnapshot
    from exporter.poller import Watch
    from exporter.store import Store
    from exporter.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Shared:
    """What all targets have in common."""

    sources: Section[SourceSnapshot]
    indexes: Section[IndexSnapshot]
    store: Store
    telemetry: Telemetry
    claims: Claims
    clock: Clock
    stopping: threading.Event


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
