"""Lengths of time in seconds. The simulator imports no other package of the exporter, so it has its own."""

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
YEAR = 365 * DAY
