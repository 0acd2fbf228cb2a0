"""Data sources, sync jobs and schedules as values, and the counting rules. Pure: imports only `errors`."""
