"""The simulated services. Each is a module with the name that the service has in the configuration."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.simulator.service import ServiceApi
    from exporter.simulator.traits import SimulatorTraits


@cache
def traits_of(service: str) -> SimulatorTraits:
    """Return the simulated service with a name."""
    traits: SimulatorTraits = import_module(f"exporter.simulator.{service}").TRAITS
    return traits


def api_of(service: str) -> Callable[..., ServiceApi]:
    """Return the constructor of the simulated API of the service with a name."""
    return traits_of(service).make_api
