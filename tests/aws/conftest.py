"""Fixtures: credentials, and a target in front of a simulated service."""

import pytest

from tests.support.simulated_target import aws_environment, target

__all__ = ["aws_environment", "target"]


@pytest.fixture
def fast_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Obtain credentials again without a pause, so that tests need not wait for seconds."""
    for name in ("FIRST_RETRY", "LAST_RETRY", "REFUSAL_PAUSE", "LAST_REFUSAL_PAUSE"):
        monkeypatch.setattr(f"exporter.aws.credential_cache.{name}", 0.05)
