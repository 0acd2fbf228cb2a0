"""The simulated API of each service, by the name of the service in the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.simulator.bedrock import BedrockApi
from exporter.simulator.kendra import KendraApi
from exporter.simulator.qbusiness import QBusinessApi

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.simulator.service import ServiceApi

APIS: Mapping[str, Callable[..., ServiceApi]] = {"qbusiness": QBusinessApi, "kendra": KendraApi, "bedrock": BedrockApi}
