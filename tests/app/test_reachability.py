"""Whether a target is up, as requests and the loss of credentials change it."""

from __future__ import annotations

import pytest

from exporter.app.observers import CredentialRecorder
from exporter.app.reachability import Reachability
from exporter.errors import ProviderError, Reason
from exporter.metrics.telemetry import Telemetry

LOST = ProviderError(Reason.CREDENTIALS, "the credential helper failed")


@pytest.fixture
def telemetry() -> Telemetry:
    """Return telemetry without the metrics of the process."""
    return Telemetry(process_metrics=False)


def is_up(telemetry: Telemetry) -> float | None:
    """Return the exposed value."""
    return telemetry.registry.get_sample_value("qbusiness_exporter_target_up", {"target": "production"})


def test_a_response_after_the_loss_of_credentials_changes_nothing(telemetry: Telemetry) -> None:
    """Its request was sent before. The target is up again with the first response after the recovery."""
    reachability = Reachability("production", telemetry)
    recorder = CredentialRecorder("production", telemetry, reachability, lambda _spacing: None, 0.2, lambda: None)
    reachability.report_up()
    recorder.credentials_failed(LOST)
    recorder.credentials_lost(LOST)
    reachability.report_up()
    assert is_up(telemetry) == 0
    reachability.report_down("ListIndices: ExpiredTokenException")
    assert "the credential helper failed" in reachability.last_error
    recorder.credentials_recovered()
    assert is_up(telemetry) == 0
    reachability.report_up()
    assert is_up(telemetry) == 1
