"""Prometheus exporter for the sync jobs of Amazon Q Business, Amazon Kendra and Amazon Bedrock knowledge bases."""

__version__ = "0.1.0"
