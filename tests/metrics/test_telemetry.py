"""The metrics about the exporter itself."""

from exporter.metrics.telemetry import Telemetry

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
