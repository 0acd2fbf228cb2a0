"""Fixtures: credentials, and a target in front of a simulated service."""

import pytest

from tests.support.simulated_target import aws_environment, target

__all__ = ["aws_environment", "target"]


@pytest.fixture
def fast_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Obtain credentials again without a pause, so that tests need not wait for seconds."""
    names = "credential_cache.FIRST_RETRY", "credential_cache.LAST_RETRY", "refusal_pauses.FIRST_PAUSE"
    for name in names:
        monkeypatch.setattr(f"exporter.aws.{name}", 0.05)
