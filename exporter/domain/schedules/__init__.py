"""Schedules of AWS, and when syncs of a data source are expected and due."""
