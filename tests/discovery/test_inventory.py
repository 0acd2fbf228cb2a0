"""A data source that two targets find belongs to one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from tests.support.simulated_discovery import COMPLETE

if TYPE_CHECKING:
    from tests.support.simulated_discovery import SimulatedDiscovery


def test_a_source_of_another_target_is_not_added_and_logged_once(discovery: SimulatedDiscovery) -> None:
    """It is added when the other target has released it."""
    discovery.observer.polled_elsewhere = {"faq"}
    with capture_logs() as logs:
        assert discovery.run() == COMPLETE
        discovery.run()
    (line,) = (line for line in logs if line["log_level"] == "warning")
    assert (line["data_source"], line["polled_by"]) == ("faq", "other")
    assert "faq" not in discovery.names
    discovery.observer.polled_elsewhere = set()
    discovery.run()
    assert "faq" in discovery.names
