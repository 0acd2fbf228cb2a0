"""The services that can be watched: what each has to answer, and one package per service."""

from exporter.providers.protocols import JobPage, Listing, Provider

__all__ = ["JobPage", "Listing", "Provider"]
