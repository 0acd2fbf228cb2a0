"""Writes what deploy/ has of files elsewhere and of the code; with --check it only tells whether that is up to date.

Helm reads nothing outside a chart, and not every way to fetch a chart follows links: so the chart has copies.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from textwrap import indent
from typing import Any

from deploy.policies import documents
from docs.generate import bring_up_to_date
from exporter.config import json_schema

HERE = Path(__file__).parent
RULES = HERE / "prometheus" / "rules"
DASHBOARDS = HERE / "grafana" / "dashboards"
CHART = HERE / "helm" / "qbusiness-exporter"
MANIFESTS = HERE / "kubernetes"

_MADE = "# Written by `make chart`.\n"
_DASHBOARDS = """# ConfigMaps of the dashboards, for the sidecar that Grafana's chart has.
generatorOptions:
  disableNameSuffixHash: true
  labels: {grafana_dashboard: "1"}
  annotations: {grafana_folder: Amazon Q Business}
"""


def pages() -> dict[Path, str]:
    """Give every generated file with its text."""
    rules, dashboards = sorted(RULES.glob("*.yaml")), sorted(DASHBOARDS.glob("*.json"))
    return {
        CHART / "values.schema.json": values_schema(),
        **{CHART / "files" / "rules" / path.name: path.read_text() for path in rules},
        **{CHART / "files" / "dashboards" / path.name: path.read_text() for path in dashboards},
        **{MANIFESTS / "operator" / f"rules-{path.name}": prometheus_rule(path) for path in rules},
        MANIFESTS / "operator" / "kustomization.yaml": operator_kustomization(rules),
        **({DASHBOARDS.parent / "kustomization.yaml": dashboards_kustomization(dashboards)} if dashboards else {}),
        **{HERE / "iam" / name: json.dumps(text, indent=2) + "\n" for name, text in documents().items()},
    }


def values_schema() -> str:
    """Put the schema of config.yaml into that of the chart's values, whose other parts are written by hand.

    That one is of draft 7, which every Helm reads; what pydantic makes means the same in it.
    """
    config: dict[str, Any] = json_schema()
    del config["$schema"]
    path = CHART / "values.schema.json"
    return (
        json.dumps({**json.loads(path.read_text()), "$defs": {**config.pop("$defs"), "Config": config}}, indent=2)
        + "\n"
    )


def prometheus_rule(path: Path) -> str:
    """Make the Prometheus operator's object of a file of rules, which are its spec as they stand."""
    name = f"qbusiness-exporter-{path.stem}"
    labels = "{app.kubernetes.io/name: qbusiness-exporter, app.kubernetes.io/instance: qbusiness-exporter}"
    head = (
        f"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: {name}\n  labels: {labels}\n"
    )
    return f"{_MADE}{head}spec:\n{indent(path.read_text(), '  ')}"


def operator_kustomization(rules: list[Path]) -> str:
    """List what the Prometheus operator reads."""
    resources = ["servicemonitor.yaml", *(f"rules-{path.name}" for path in rules)]
    return (
        f"{_MADE}# For clusters that have the Prometheus operator's custom resources.\n{_list('resources', resources)}"
    )


def dashboards_kustomization(dashboards: list[Path]) -> str:
    """Make a ConfigMap of each dashboard."""
    maps = [f"{{name: qbusiness-exporter-{path.stem}, files: [dashboards/{path.name}]}}" for path in dashboards]
    return _MADE + _DASHBOARDS + _list("configMapGenerator", maps)


def _list(key: str, items: list[str]) -> str:
    return f"{key}:\n" + "".join(f"  - {item}\n" for item in items)


if __name__ == "__main__":
    sys.exit(bring_up_to_date(pages(), sys.argv[1:], "make chart"))
