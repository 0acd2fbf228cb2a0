"""Generates the files in deploy/ that are copies of other files or derived from the code.

With --check it only reports which files are out of date. The rules come from the templates in exporter/rules/.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

import yaml

from deploy.chart import CHART, chart_files
from deploy.jsonnet_mixin import mixin_files
from deploy.policies import documents
from deploy.terraform_services import terraform_files
from exporter.rules.options import RuleOptions
from exporter.rules.renderer import RuleRenderer
from tools.generated_files import bring_up_to_date

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).parent
RULES = HERE / "prometheus" / "rules"
DASHBOARDS = HERE / "grafana" / "dashboards"
MANIFESTS = HERE / "kubernetes"

_HEADER = "# Written by `make generate`.\n"
_RENDERED = "# Rendered from the chart by `make generate`; digest of chart and manifest: {digest}\n"
_DASHBOARD_OPTIONS = """# ConfigMaps of the dashboards, for the dashboard sidecar of the Grafana chart.
# Remove those of services that you do not use.
generatorOptions:
  disableNameSuffixHash: true
  labels: {grafana_dashboard: "1"}
  annotations: {grafana_folder: Sync jobs}
"""


def generated_files() -> dict[Path, str]:
    """Return the text of every generated file by path."""
    rules, dashboards = rule_files(), sorted(DASHBOARDS.glob("*.json"))
    return {
        **chart_files(_HEADER, dashboards),
        **mixin_files(dashboards),
        **terraform_files(_HEADER),
        **{RULES / name: text for name, text in rules.items()},
        **{MANIFESTS / "operator" / f"rules-{name}": prometheus_rule(name, text) for name, text in rules.items()},
        MANIFESTS / "operator" / "kustomization.yaml": operator_kustomization(rules),
        **({DASHBOARDS.parent / "kustomization.yaml": dashboards_kustomization(dashboards)} if dashboards else {}),
        **{HERE / "iam" / name: json.dumps(text, indent=2) + "\n" for name, text in documents().items()},
    }


def rule_files() -> dict[str, str]:
    """Return the text of each rule file by its name."""
    return {name: _HEADER + text for name, text in RuleRenderer(RuleOptions()).files().items()}


def prometheus_rule(file: str, text: str) -> str:
    """Return a PrometheusRule object whose spec is the content of a rule file."""
    name = f"qbusiness-exporter-{file.removesuffix('.yaml')}"
    labels = "{app.kubernetes.io/name: qbusiness-exporter, app.kubernetes.io/instance: qbusiness-exporter}"
    head = (
        f"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: {name}\n  labels: {labels}\n"
    )
    return f"{_HEADER}{head}spec:\n{indent(text.removeprefix(_HEADER), '  ')}"


def operator_kustomization(rules: Iterable[str]) -> str:
    """Return the kustomization with the custom resources of the Prometheus operator."""
    resources = ["servicemonitor.yaml", *(f"rules-{name}" for name in rules)]
    comment = (
        "# For clusters with the custom resources of the Prometheus operator. Rules of services that you do not use\n"
        "# never fire, and may be removed.\n"
    )
    return _HEADER + comment + _list("resources", resources)


def dashboards_kustomization(dashboards: list[Path]) -> str:
    """Return the kustomization that creates a ConfigMap for each dashboard."""
    maps = [f"{{name: qbusiness-exporter-{path.stem}, files: [dashboards/{path.name}]}}" for path in dashboards]
    return _HEADER + _DASHBOARD_OPTIONS + _list("configMapGenerator", maps)


def rendered(manifest: str) -> str:
    """Return a manifest that Helm rendered from the chart, after a line with the digest of both.

    Rendering needs the Helm library, which `make check` does not use. The digest shows whether the chart has changed
    since then, and whether the manifest was edited.
    """
    inputs = [CHART / "Chart.yaml", CHART / "values.yaml", *sorted((CHART / "templates").glob("**/*.*"))]
    content = b"".join(path.name.encode() + path.read_bytes() for path in inputs) + manifest.encode()
    return _RENDERED.format(digest=hashlib.sha256(content).hexdigest()[:16]) + manifest


def rendered_manifests() -> list[Path]:
    """Return the manifests that Helm renders from the chart: the resources of two folders, and the ServiceMonitor."""
    folders = (MANIFESTS / "exporter", MANIFESTS / "replicas")
    kustomizations = ((folder, yaml.safe_load((folder / "kustomization.yaml").read_text())) for folder in folders)
    resources = [folder / name for folder, kustomization in kustomizations for name in kustomization["resources"]]
    return [*resources, MANIFESTS / "operator" / "servicemonitor.yaml"]


def outdated_manifests() -> list[Path]:
    """Return the manifests that Helm has not rendered from this version of the chart."""
    return [path for path in rendered_manifests() if not (path.exists() and is_current(path.read_text()))]


def is_current(text: str) -> bool:
    """Return whether Helm has rendered a manifest from this version of the chart."""
    _, _, manifest = text.partition("\n")
    return text == rendered(manifest)


def main(arguments: list[str]) -> int:
    """Write or check the generated files; return the exit code."""
    outdated = outdated_manifests()
    if "--check-manifests" in arguments:
        return int(bool(outdated))
    code = bring_up_to_date(generated_files(), arguments)
    if "--check" not in arguments:
        return code
    for path in outdated:
        print(f"{path.relative_to(HERE.parent)} is out of date: run make generate")
    return 1 if outdated else code


def _list(key: str, items: list[str]) -> str:
    return f"{key}:\n" + "".join(f"  - {item}\n" for item in items)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
