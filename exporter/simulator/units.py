"""Lengths of time in seconds. The simulator has its own, because it imports no other package of the exporter."""

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
YEAR = 365 * DAY
