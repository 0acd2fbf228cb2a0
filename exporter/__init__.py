"""Prometheus exporter for Amazon Q Business data source sync jobs."""

__version__ = "0.1.0"
