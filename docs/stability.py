"""The experimental parts of the interface. All other parts are stable (docs/stability.md)."""

from __future__ import annotations

from fnmatch import fnmatchcase

FAMILIES = (
    "*_data_source_expected_sync_gap_seconds",
    "*_data_source_expectation_start_timestamp_seconds",
    "*_data_source_documents",
    "*_data_source_documents_counted_timestamp_seconds",
    "qbusiness_exporter_target_owned",
    "qbusiness_exporter_target_state_readable",
)
KEYS = ("documents.interval", "metrics.exclude", "state.url", "state.password_file", "state.iam_auth")
FLAGS = ("web.systemd-socket", "max-size")


def marked(code: str, name: str, experimental: tuple[str, ...]) -> str:
    """Return the first cell of a row of a reference: the code, and whether it is experimental."""
    return f"`{code}` (experimental)" if any(fnmatchcase(name, glob) for glob in experimental) else f"`{code}`"
