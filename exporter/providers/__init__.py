"""The services that can be watched: a common protocol, and one package per service."""

from exporter.providers.protocols import JobPage, Listing, Provider

__all__ = ["JobPage", "Listing", "Provider"]
