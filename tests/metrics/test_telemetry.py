"""The metrics about the exporter itself."""

from exporter.metrics.telemetry import Telemetry

STATE_UP = "qbusiness_exporter_state_up"
SUCCESSFUL = "qbusiness_exporter_config_last_reload_successful"


def test_a_loaded_part_does_not_hide_a_rejected_one() -> None:
    """The gauge and the status page report a problem until each rejected part is loaded."""
    telemetry = Telemetry(process_metrics=False)
    registry = telemetry.registry
    telemetry.config_rejected()
    telemetry.config_loaded(5.0, "web configuration")
    assert (telemetry.config_is_current, registry.get_sample_value(SUCCESSFUL)) == (False, 0)
    telemetry.config_loaded(6.0)
    assert (telemetry.config_is_current, registry.get_sample_value(SUCCESSFUL)) == (True, 1)


def test_the_state_is_down_until_it_is_open() -> None:
    """Then each scrape has its present condition."""
    telemetry, condition = Telemetry(process_metrics=False), [False, True]
    assert telemetry.registry.get_sample_value(STATE_UP) == 0
    telemetry.watch_state(condition.pop)
    assert [telemetry.registry.get_sample_value(STATE_UP) for _ in range(2)] == [1, 0]
