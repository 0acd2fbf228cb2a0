"""The generated files of the Helm chart: the schema of its values, its README, its rules and dashboards.

The chart contains copies of rules and dashboards because Helm reads no files outside a chart, and not every way to
download a chart follows symbolic links.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from deploy.chart_values import described_values
from exporter.config import json_schema
from exporter.config.types import ROLE
from exporter.providers.registry import DEFAULT_SERVICE, SERVICES
from exporter.rules.options import RuleOptions
from exporter.rules.renderer import RuleRenderer, alert_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HELM = Path(__file__).parent / "helm"
CHART = HELM / "qbusiness-exporter"
SCHEMA = HELM / "values.schema.yaml"
README = HELM / "README.md.in"
THRESHOLD = "THRESHOLD({:g})"
"""The placeholder for a threshold in the chart's rules, with its default. The templates replace it."""


def chart_files(header: str, dashboards: Iterable[Path]) -> dict[Path, str]:
    """Return the text of every generated file of the chart by path."""
    return {
        CHART / "values.schema.json": values_schema(),
        CHART / "README.md": readme(),
        **{CHART / "files" / "rules" / folder_of(name) / name: header + text for name, text in chart_rules().items()},
        **{CHART / "files" / "dashboards" / folder_of(path.name) / path.name: path.read_text() for path in dashboards},
    }


def folder_of(name: str) -> str:
    """Return the folder of a rule file or dashboard in the chart: its service, or `exporter`.

    Names begin with the service, except those of the default service's dashboards.
    """
    first = name.partition(".")[0].partition("-")[0]
    return first if first in {"exporter", *SERVICES} else DEFAULT_SERVICE.name


def values_schema() -> str:
    """Return the schema of the chart's values, with the schema of config.yaml embedded.

    It is JSON Schema draft 7, which every Helm version supports. The keywords in the schema that pydantic generates
    have the same meaning in draft 7.
    """
    config: dict[str, Any] = json_schema()
    del config["$schema"]
    schema = yaml.safe_load(SCHEMA.read_text())
    names = {
        "ServiceName": {"enum": list(SERVICES)},
        "AlertName": {"enum": list(alert_names())},
        "RoleArn": {"type": "string", "pattern": f"^({ROLE})?$"},
    }
    schema["$defs"] |= {**names, **config.pop("$defs"), "Config": config}
    return json.dumps(schema, indent=2) + "\n"


def chart_rules() -> dict[str, str]:
    """Return the rule files with a placeholder for each threshold."""
    renderer = RuleRenderer(RuleOptions())
    renderer.document()
    placeholders = {name: THRESHOLD.format(default) for name, default in renderer.default_thresholds.items()}
    return RuleRenderer(RuleOptions(thresholds=placeholders)).files()


def readme() -> str:
    """Return the README of the chart, with a table of all values."""
    return README.read_text().replace("{{ values }}", "\n".join(_table()))


def _table() -> Iterator[str]:
    yield "| value | default | description |"
    yield "|---|---|---|"
    for value in described_values(CHART / "values.yaml"):
        yield f"| `{value.path}` | `{value.default}` | {value.description} |"
