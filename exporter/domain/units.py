"""Durations in seconds, and the precision of the clocks."""

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

DATE_RESOLUTION = 1.0
"""AWS's clock is read from the Date header of its responses, which is cut to the second."""

TIME_ROUNDING = 0.001
"""A time at which a sample changes is a sum of floating-point numbers: the change is visible this long after it."""

SCHEDULE_RESOLUTION = MINUTE
"""Schedules are precise to the minute. A sync that starts up to this long before a firing belongs to that firing."""
