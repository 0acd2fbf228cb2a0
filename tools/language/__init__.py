"""Checks that prose is plain technical English: `python -m tools.language [PATH ...]`."""
