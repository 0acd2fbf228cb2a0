"""The HTTP side: what people and Prometheus ask of the exporter."""
