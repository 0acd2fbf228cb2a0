"""The plain manifests for kustomize, which are rendered from the chart."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from deploy.generate import rendered_header
from exporter.config import load
from tests.suites.kubernetes.chart import (
    NAMESPACE,
    ROLE,
    ROOT,
    VERSIONS,
    config_of,
    container_of,
    only,
    parse,
    render,
    render_templates,
    validate,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.suites.kubernetes.chart import Manifest

MANIFESTS = ROOT / "deploy" / "kubernetes"
# Kustomize generates the ConfigMap and sets the namespace, and the labels that Helm sets would be wrong.
VALUES = {
    "existingConfigMap": "qbusiness-exporter",
    "serviceMonitor": {"enabled": True},
    "tests": {"enabled": False},
}
ONLY_WITH_HELM = re.compile(rf" *(namespace: {NAMESPACE}|helm\.sh/chart: .*|app\.kubernetes\.io/managed-by: Helm)\n")


def expected_manifests() -> dict[Path, str]:
    """Return the text of each plain manifest."""
    texts = {
        name: rendered_header() + ONLY_WITH_HELM.sub("", text.lstrip())
        for name, text in render_templates(VALUES).items()
    }
    return {
        MANIFESTS / ("operator" if name == "servicemonitor.yaml" else "exporter") / name: texts[name] for name in texts
    }


def build(folder: str) -> list[Manifest]:
    """Build a folder with kubectl; return its objects."""
    command = ["kubectl", "kustomize", str(ROOT / folder)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    return list(parse([result.stdout]))


@pytest.mark.parametrize("path", expected_manifests(), ids=lambda path: path.name)
def test_manifests_are_what_the_chart_renders(path: Path, pytestconfig: pytest.Config) -> None:
    """Both ways to install create the same objects."""
    if pytestconfig.getoption("rewrite_golden"):
        path.write_text(expected_manifests()[path])
    assert path.read_text() == expected_manifests()[path]
    listed = yaml.safe_load((path.parent / "kustomization.yaml").read_text())["resources"]
    assert path.name in listed


def test_rules_are_what_the_chart_renders() -> None:
    """`make generate` generates the rules for kustomize without Helm; they are equal."""
    charts = {
        m["metadata"]["name"]: m["spec"] for m in render({"prometheusRule": {"enabled": True}}) if "Rule" in m["kind"]
    }
    plain = {m["metadata"]["name"]: m["spec"] for m in build("deploy/kubernetes/operator") if "Rule" in m["kind"]}
    assert plain == charts


@pytest.mark.parametrize("folder", ["exporter", "operator", "example"])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_cluster_accepts_what_kustomize_builds(folder: str, version: str) -> None:
    """This holds for each supported version of Kubernetes."""
    manifests = build(f"deploy/kubernetes/{folder}")
    assert manifests
    for manifest in manifests:
        validate(manifest, version)


def test_the_example_configures_the_pods(tmp_path: Path) -> None:
    """The pods have the namespace, image, role and configuration of the example."""
    manifests = build("deploy/kubernetes/example")
    assert {manifest["metadata"]["namespace"] for manifest in manifests} == {"monitoring"}
    assert container_of(manifests)["image"].startswith("registry.example.com/qbusiness-exporter:")
    assert only(manifests, "ServiceAccount")["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] == ROLE
    config = tmp_path / "config.yaml"
    config.write_text(config_of(manifests))
    assert load(config).config.targets[0].name == "production"
    monitoring = [m for m in manifests if m["apiVersion"].startswith("monitoring.coreos.com/")]
    assert {m["metadata"]["labels"]["release"] for m in monitoring} == {"kube-prometheus-stack"}
    service = only(manifests, "Service")["metadata"]["labels"]
    assert only(manifests, "ServiceMonitor")["spec"]["selector"]["matchLabels"].items() <= service.items()
