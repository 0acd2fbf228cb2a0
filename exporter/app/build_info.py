"""Which build this is."""

from __future__ import annotations

from importlib.resources import files


def revision() -> str:
    """Give the revision that the build was told of (`exporter/REVISION`); a working tree was told of none."""
    told = files("exporter") / "REVISION"
    return told.read_text().strip() if told.is_file() else "unknown"
