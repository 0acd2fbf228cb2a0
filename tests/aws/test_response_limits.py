"""Limits of one response: its size, and its duration including headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.errors import ProviderError, Reason

if TYPE_CHECKING:
    from tests.support.simulated_target import SimulatedTarget


def test_a_large_response_is_read(target: SimulatedTarget) -> None:
    """Pages below the limit are complete."""
    target.service.faults.add("huge", megabytes=2.0, times=1)
    assert len(target.read_jobs()) == 25


def test_a_response_above_the_limit_fails_the_request(target: SimulatedTarget) -> None:
    """It cannot use up the memory, and the next request succeeds."""
    target.service.faults.add("huge", megabytes=17.0, times=3)
    with pytest.raises(ProviderError, match="ListDataSourceSyncJobs: response larger than 16 MB") as error:
        target.read_jobs()
    assert (error.value.reason, error.value.code) == (Reason.MALFORMED_RESPONSE, "ResponseTooLarge")
    assert len(target.read_jobs()) == 25


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_the_timeout_applies_to_the_whole_response(target: SimulatedTarget, kind: str) -> None:
    """A response that arrives byte by byte takes no longer than one that never arrives."""
    target.service.faults.add(kind, times=3)
    with pytest.raises(ProviderError) as error:
        target.read_jobs()
    assert error.value.reason is Reason.TIMEOUT
    assert target.observer.codes == ["timeout"] * 3


def test_an_endless_response_fails_the_request(target: SimulatedTarget) -> None:
    """It ends at the size limit, or at the timeout."""
    target.service.faults.add("endless", times=3)
    with pytest.raises(ProviderError) as error:
        target.read_jobs()
    assert error.value.reason in {Reason.MALFORMED_RESPONSE, Reason.TIMEOUT}
    assert len(target.read_jobs()) == 25
