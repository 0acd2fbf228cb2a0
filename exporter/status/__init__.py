"""The state of data sources, indexes and the exporter as plain data, for the status page and the JSON API."""
