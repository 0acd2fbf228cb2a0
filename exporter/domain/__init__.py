"""The model of data sources and sync jobs, and the rules of counting, schedules and objectives: pure functions."""
