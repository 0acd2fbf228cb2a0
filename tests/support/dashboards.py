"""The dashboards that are checked in, as plain data."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOLDER = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards"
FILES = ("overview.json", "data-source.json", "index-capacity.json", "exporter.json")
ROW = "row"
ANY = {
    "$__rate_interval": "1m",
    "$__range": "1h",
    **dict.fromkeys(("$application", "$data_source", "$index", "$job", "$instance", "$target"), ".*"),
}


def load(name: str) -> dict[str, Any]:
    """Read one."""
    loaded: dict[str, Any] = json.loads((FOLDER / name).read_text())
    return loaded


def panels(name: str) -> list[dict[str, Any]]:
    """Give the panels of one, without rows."""
    return [panel for panel in load(name)["panels"] if panel["type"] != ROW]


def filled_in(expression: str, variables: Mapping[str, str] = ANY) -> str:
    """Put values in the place of variables, as Grafana does before Prometheus sees them."""
    for variable in sorted(variables, key=len, reverse=True):
        expression = expression.replace(variable, variables[variable])
    return expression


def queries(name: str) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Give each query, by its name in words, with its panel."""
    for panel in panels(name):
        for target in panel["targets"]:
            yield f"{name}: {panel['title']}: {target['refId']}", panel, target


def strings(node: object) -> Iterator[str]:
    """Give every text in plain data."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)


def links(name: str) -> list[str]:
    """Give the address of every link."""
    return [text for text in strings(load(name)) if re.match(r"/d/|https?://|\$\{exporter_url", text)]
