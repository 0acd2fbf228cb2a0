"""Counts the documents of each data source by status, in the background."""
