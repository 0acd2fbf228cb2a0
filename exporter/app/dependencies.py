"""The services that all targets share, and the parts of the program that a simulation replaces."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from exporter.app.state import open_state
from exporter.aws import AwsClient
from exporter.exposition import ExpositionCache
from exporter.runtime import System

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.app.ownership import SourceOwnership
    from exporter.app.published_metrics import PublishedMetrics
    from exporter.app.state import State, StateContext
    from exporter.config import StateConfig
    from exporter.metrics.telemetry import Telemetry
    from exporter.polling.objective_recorder import ObjectiveRecorder
    from exporter.runtime import Clock, Event, Host


@dataclass(frozen=True, slots=True)
class Overrides:
    """The parts that a simulation replaces: host, AWS client, state, exposition cache, and randomness."""

    host: Host = field(default_factory=System)
    connect: Callable[..., AwsClient] = AwsClient
    open_state: Callable[[StateConfig, StateContext], State] = open_state
    cache: Callable[[Any, Clock], ExpositionCache[Any]] = ExpositionCache
    random: Random = field(default_factory=Random)


@dataclass(frozen=True, slots=True)
class SharedServices:
    """The services that all targets share."""

    published: PublishedMetrics
    telemetry: Telemetry
    ownership: SourceOwnership
    objectives: ObjectiveRecorder
    overrides: Overrides
    stopping: Event
