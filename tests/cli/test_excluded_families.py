"""Warnings about globs of `metrics.exclude`."""

from __future__ import annotations

import pytest

from exporter import config
from exporter.cli.excluded_families import exclusion_warnings, family_names


@pytest.mark.parametrize(
    ("glob", "warning"),
    [
        (
            "qbusiness_sync_runing",
            "'qbusiness_sync_runing' matches no metric family; did you mean qbusiness_sync_running?",
        ),
        ("other_*", "'other_*' matches no metric family; docs/metrics.md lists all"),
        ("qbusiness_poll_success", "qbusiness_poll_success is needed by QBusinessDataStale"),
        ("qbusiness_exporter_state_up", "qbusiness_exporter_state_up is needed by QBusinessStateNotWritten"),
    ],
)
def test_a_glob_that_may_be_a_mistake_is_a_warning_with_its_position(glob: str, warning: str) -> None:
    """It matches no family, or one that a shipped rule needs."""
    text = f"metrics:\n  exclude: [qbusiness_documents_modified_total, '{glob}']\n"
    loaded = config.parse(text, "config.yaml", exclusion_warnings)
    (found,) = map(str, loaded.warnings)
    assert found.startswith(f"config.yaml:2:49: exclude: {warning}")


def test_a_glob_of_many_families_names_the_first_ones() -> None:
    """The warning stays readable."""
    loaded = config.parse("metrics: {exclude: ['*']}", "config.yaml", exclusion_warnings)
    assert str(loaded.warnings[0]).endswith("further families too")


def test_families_of_all_kinds_can_be_excluded() -> None:
    """These are families of data sources, of containers, of the exporter and of its process."""
    expected = {"qbusiness_sync_running", "qbusiness_index_status", "qbusiness_exporter_polls_total"}
    assert expected | {"process_cpu_seconds_total"} <= set(family_names())
