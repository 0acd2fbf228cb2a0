"""Write the words of the services into docs/api.schema.json, whose other parts are written by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from exporter.providers.registry import SERVICES

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.domain.service import Service

_TEXT = {"type": "string"}
_OPTIONAL_TEXT = {"type": ["string", "null"]}


def api_schema(file: Path) -> str:
    """Return the text of the schema with the words of all services."""
    schema: dict[str, Any] = json.loads(file.read_text())
    for name in ("data_source", "index"):
        _set_containers(schema["$defs"][name])
    schema["$defs"]["target"]["properties"]["service"] = _service()
    filters = schema["properties"]["filters"]["properties"]
    filters |= dict.fromkeys(("service", *_container_words()), _TEXT)
    console = schema["$defs"]["console"]["properties"]
    console |= {service.root.word: _address(service) for service in SERVICES.values()}
    return json.dumps(schema, indent=2) + "\n"


def _set_containers(definition: dict[str, Any]) -> None:
    """Set the names and ids of containers. Each service requires its own."""
    levels = [level for service in SERVICES.values() for level in service.containers]
    words = {level.word: _OPTIONAL_TEXT for level in levels} | {level.key: _TEXT for level in levels}
    definition["properties"] |= {"service": _service(), **words}
    definition["allOf"] = [
        {
            "if": {"properties": {"service": {"const": service.name}}},
            "then": {"required": [name for level in service.containers for name in (level.word, level.key)]},
        }
        for service in SERVICES.values()
    ]


def _service() -> dict[str, Any]:
    return {"enum": list(SERVICES), "description": "Service of the target, as in the configuration."}


def _container_words() -> dict[str, None]:
    return dict.fromkeys(level.word for service in SERVICES.values() for level in service.containers)


def _address(service: Service) -> dict[str, Any]:
    return {**_OPTIONAL_TEXT, "description": f"Address of the {service.root.text}; null if it is unknown."}
