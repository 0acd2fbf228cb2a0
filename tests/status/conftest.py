"""Fixtures for tests of what the status page says about a simulated data source."""

from tests.support.simulated_target import aws_environment

__all__ = ["aws_environment"]
