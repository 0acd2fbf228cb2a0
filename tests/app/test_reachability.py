"""Whether a target is up, as requests and the loss of credentials change it."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from exporter.app.observers import CredentialRecorder
from exporter.app.reachability import Reachability
from exporter.errors import ProviderError, Reason
from exporter.metrics.telemetry import Telemetry
from tests.support.builders import FakeClock

LOST = ProviderError(Reason.CREDENTIALS, "the credential helper failed")


class Retries:
    """Counts the retries of polls and of discovery."""

    def __init__(self) -> None:
        self.polls = self.discovery = 0

    def poll_all(self, _spacing: float) -> None:
        """Count a retry of all polls."""
        self.polls += 1

    def retry_discovery(self) -> None:
        """Count a retry of discovery."""
        self.discovery += 1


@pytest.fixture
def telemetry() -> Telemetry:
    """Return telemetry without the metrics of the process."""
    return Telemetry(process_metrics=False)


def is_up(telemetry: Telemetry) -> float | None:
    """Return the exposed value."""
    return telemetry.registry.get_sample_value("qbusiness_exporter_target_up", {"target": "production"})


def recorder_for(telemetry: Telemetry, reachability: Reachability) -> tuple[CredentialRecorder, Retries]:
    """Return the recorder of a target, and the calls of its retries."""
    retries = Retries()
    return CredentialRecorder(
        "production", telemetry.targets, reachability, retries.poll_all, 0.2, retries.retry_discovery
    ), retries


def test_a_response_after_the_loss_of_credentials_changes_nothing(telemetry: Telemetry) -> None:
    """Its request was sent before. The target is up again with the first response after the recovery."""
    reachability = Reachability("production", telemetry.targets, FakeClock())
    recorder, _ = recorder_for(telemetry, reachability)
    reachability.report_up("ListIndices", is_poll=False)
    recorder.credentials_failed(LOST)
    recorder.credentials_lost(LOST)
    reachability.report_up("ListIndices", is_poll=False)
    assert is_up(telemetry) == 0
    reachability.report_down("ListIndices: ExpiredTokenException")
    assert "the credential helper failed" in reachability.last_error
    recorder.credentials_recovered()
    assert is_up(telemetry) == 0
    reachability.report_up("ListIndices", is_poll=False)
    assert is_up(telemetry) == 1


def test_a_target_without_credentials_stays_down_after_a_reload(telemetry: Telemetry) -> None:
    """Only an attempt that succeeds ends the failure. Nothing is counted or logged again."""
    reachability = Reachability("production", telemetry.targets, FakeClock())
    recorder, retries = recorder_for(telemetry, reachability)
    with capture_logs() as log:
        recorder.failure_inherited(LOST, is_lost=True)
        reachability.report_up("ListIndices", is_poll=False)
        assert is_up(telemetry) == 0
        assert retries.polls == 1  # of the data sources, which may be those of another target
        assert log == []
        recorder.credentials_failed(LOST)
        recorder.credentials_recovered()
        reachability.report_up("ListIndices", is_poll=False)
    assert is_up(telemetry) == 1
    assert [line["event"] for line in log] == ["credentials work again"]
    assert (retries.polls, retries.discovery) == (2, 1)


def test_new_credentials_are_tried_once(telemetry: Telemetry) -> None:
    """They are tried when they replace refused ones, before AWS accepts them. Acceptance causes no second retry."""
    recorder, retries = recorder_for(telemetry, Reachability("production", telemetry.targets, FakeClock()))
    recorder.credentials_refused(LOST)
    before = retries.polls
    recorder.credentials_replaced()
    recorder.credentials_recovered()
    assert (retries.polls - before, retries.discovery) == (1, 1)
    recorder.credentials_refused(LOST)
    recorder.credentials_replaced()
    recorder.credentials_refused(LOST)
    recorder.credentials_replaced()
    assert retries.discovery == 3
