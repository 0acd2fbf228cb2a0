"""The JSON schema of the configuration, for editors."""

from __future__ import annotations

from typing import Any

from exporter.config.models import Config


def json_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of a configuration file."""
    schema: dict[str, Any] = _tidy(Config.model_json_schema())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "qbusiness-exporter configuration",
    }


def _tidy(part: Any) -> Any:  # noqa: ANN401 (JSON)
    """Remove titles, which are Python names, and defaults, which are not in the format of the file."""
    if isinstance(part, list):
        return [_tidy(item) for item in part]
    if not isinstance(part, dict):
        return part
    # Below `properties`, a title or default is a key of the file.
    return {
        key: {name: _tidy(inner) for name, inner in value.items()} if key == "properties" else _tidy(value)
        for key, value in part.items()
        if key not in {"title", "default"}
    }
