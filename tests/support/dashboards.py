"""The dashboards in deploy/grafana, as plain data."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.providers.registry import DEFAULT_SERVICE, SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.domain.service import Service

FOLDER = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards"
FILES = tuple(sorted(path.name for path in FOLDER.glob("*.json")))
EXPORTER = "exporter.json"
ROW = "row"
ANY = {
    "$__rate_interval": "1m",
    "$__range": "1h",
    **dict.fromkeys(
        ("$application", "$knowledge_base", "$data_source", "$index", "$job", "$instance", "$target"), ".*"
    ),
}


def service_of(name: str) -> Service:
    """Return the service of a dashboard. Names of other services than the default one begin with the service."""
    return SERVICES.get(name.partition("-")[0], DEFAULT_SERVICE)


def kind_of(name: str) -> str:
    """Return the kind of a dashboard, which all services have in common."""
    return name.removesuffix(".json").removeprefix(f"{service_of(name).name}-")


def load(name: str) -> dict[str, Any]:
    """Read a dashboard."""
    loaded: dict[str, Any] = json.loads((FOLDER / name).read_text())
    return loaded


def panels(name: str) -> list[dict[str, Any]]:
    """Return the panels of a dashboard, without rows."""
    return [panel for panel in load(name)["panels"] if panel["type"] != ROW]


def interpolate(expression: str, variables: Mapping[str, str] = ANY) -> str:
    """Replace variables by values, as Grafana does before it sends the query to Prometheus."""
    for variable in sorted(variables, key=len, reverse=True):
        expression = expression.replace(variable, variables[variable])
    return expression


def queries(name: str) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield each query as its name, its panel and its target."""
    for panel in panels(name):
        for target in panel["targets"]:
            yield f"{name}: {panel['title']}: {target['refId']}", panel, target


def strings(node: object) -> Iterator[str]:
    """Yield every string in plain data."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)


def links(name: str) -> list[str]:
    """Return the URL of every link."""
    return [text for text in strings(load(name)) if re.match(r"/d/|https?://|\$\{exporter_url", text)]
