"""The services that can be watched: a common protocol, and one package for each service."""

from exporter.providers.protocols import DocumentPage, JobPage, Listing, Provider, ServiceClient

__all__ = ["DocumentPage", "JobPage", "Listing", "Provider", "ServiceClient"]
