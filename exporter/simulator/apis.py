"""The simulated API of each service, by the name of the service in the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.simulator.api import Api
from exporter.simulator.bedrock import BedrockApi
from exporter.simulator.kendra import KendraApi

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.simulator.service import ServiceApi

APIS: Mapping[str, Callable[..., ServiceApi]] = {"qbusiness": Api, "kendra": KendraApi, "bedrock": BedrockApi}
