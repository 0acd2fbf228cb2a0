"""The source revision of the running build."""

from __future__ import annotations

from importlib.resources import files


def revision() -> str:
    """Return the source revision that the build wrote to `exporter/REVISION`; "unknown" in a working tree."""
    path = files("exporter") / "REVISION"
    return path.read_text().strip() if path.is_file() else "unknown"
