"""Alerting and recording rules: Prometheus rule files, rendered from templates."""
