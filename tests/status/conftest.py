"""Fixtures for tests of the status page with a simulated data source."""

from tests.support.simulated_target import aws_environment

__all__ = ["aws_environment"]
