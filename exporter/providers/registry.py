"""The only module that names the services. All others use the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.model import SERVICE
from exporter.providers.qbusiness.permissions import (
    MAX_MANAGED_POLICY,
    ArnScope,
    Permission,
    assume_role_statement,
    policy_statements,
    required_permissions,
)
from exporter.providers.qbusiness.provider import BACKGROUND_OPERATIONS, DOCUMENT_PAGE_SIZE, PAGE_SIZE, QBusiness

if TYPE_CHECKING:
    from exporter.aws import AwsClient
    from exporter.providers.protocols import Provider

__all__ = [
    "BACKGROUND_OPERATIONS",
    "DOCUMENT_PAGE_SIZE",
    "MAX_MANAGED_POLICY",
    "PAGE_SIZE",
    "SERVICE",
    "ArnScope",
    "Permission",
    "assume_role_statement",
    "make_provider",
    "policy_statements",
    "required_permissions",
]


def make_provider(client: AwsClient) -> Provider:
    """Return the provider of a target's service."""
    return QBusiness(client)
