"""Fixtures of the tests of discovery."""

from tests.support.simulated_discovery import discovery
from tests.support.simulated_target import aws_environment

__all__ = ["aws_environment", "discovery"]
