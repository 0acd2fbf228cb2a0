"""Fixtures: credentials, and a target in front of a simulated service."""

from tests.support.simulated_target import aws_environment, target

__all__ = ["aws_environment", "target"]
