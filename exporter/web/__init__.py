"""The HTTP side of the exporter: metrics, the status page, the JSON API, health and readiness."""
