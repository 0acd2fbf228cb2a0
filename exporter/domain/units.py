"""Durations in seconds, and the precision of the clocks."""

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

DATE_RESOLUTION = 1.0
"""AWS's clock is read from the Date header of its responses, which is truncated to seconds."""

TIME_ROUNDING = 0.001
"""A time at which a sample changes is a sum of floating-point numbers, so the change is visible this much later."""

SCHEDULE_RESOLUTION = MINUTE
"""Schedules are precise to the minute. A sync that starts up to this long before a firing belongs to it."""
