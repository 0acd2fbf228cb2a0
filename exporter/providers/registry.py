"""The only module that imports the providers. All other modules use the protocol, and the services as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.providers.bedrock.provider import Bedrock
from exporter.providers.bedrock.service import BEDROCK
from exporter.providers.kendra.provider import Kendra
from exporter.providers.kendra.service import KENDRA
from exporter.providers.qbusiness.provider import QBusiness
from exporter.providers.qbusiness.service import QBUSINESS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.domain.service import Service
    from exporter.providers.protocols import Provider, ServiceClient

_PROVIDERS: Mapping[Service, Callable[[ServiceClient], Provider]] = {
    QBUSINESS: QBusiness,
    KENDRA: Kendra,
    BEDROCK: Bedrock,
}

DEFAULT_SERVICE = QBUSINESS
"""The service of a target that names none, and of state from before there were other services."""
SERVICES = {service.name: service for service in _PROVIDERS}
"""The services by their names in the configuration."""


def make_provider(service: Service, client: ServiceClient) -> Provider:
    """Return the provider of a target's service."""
    return _PROVIDERS[service](client)
