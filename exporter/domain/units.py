"""Lengths of time in seconds, and how precise the clocks behind them are."""

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

DATE_RESOLUTION = 1.0
"""AWS's clock comes from the Date header of its responses, which is cut to the second."""

SCHEDULE_RESOLUTION = MINUTE
"""Schedules are good to the minute, and a sync may start that much before its schedule fires and still belong to it."""
