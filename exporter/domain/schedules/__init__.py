"""Schedules of AWS, and the times at which syncs of a data source are expected and due."""
