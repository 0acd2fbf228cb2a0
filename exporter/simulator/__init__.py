"""Simulated services over HTTP, for the `demo` command and for the tests."""
