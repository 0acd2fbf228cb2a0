"""The same without Helm: what the chart renders, kept as files for kustomize."""

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
    accepted,
    config_of,
    container_of,
    only,
    parse,
    render,
    sources,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.suites.kubernetes.chart import Manifest

MANIFESTS = ROOT / "deploy" / "kubernetes"
# Kustomize makes the ConfigMap; Helm's own marks and the namespace are for whoever installs.
VALUES = {"existingConfigMap": "qbusiness-exporter", "serviceMonitor": {"enabled": True}}
HELMS_OWN = re.compile(rf" *(namespace: {NAMESPACE}|helm\.sh/chart: .*|app\.kubernetes\.io/managed-by: Helm)\n")


def rendered() -> dict[Path, str]:
    """Give every plain manifest with its text."""
    texts = {name: rendered_header() + HELMS_OWN.sub("", text.lstrip()) for name, text in sources(VALUES).items()}
    return {
        MANIFESTS / ("operator" if name == "servicemonitor.yaml" else "exporter") / name: texts[name] for name in texts
    }


def built(folder: str) -> list[Manifest]:
    """Build a folder with kubectl."""
    command = ["kubectl", "kustomize", str(ROOT / folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return list(parse([done.stdout]))


@pytest.mark.parametrize("path", rendered(), ids=lambda path: path.name)
def test_manifests_are_what_the_chart_renders(path: Path, pytestconfig: pytest.Config) -> None:
    """So that there is one truth, and both ways to install give the same."""
    if pytestconfig.getoption("rewrite_golden"):
        path.write_text(rendered()[path])
    assert path.read_text() == rendered()[path]
    listed = yaml.safe_load((path.parent / "kustomization.yaml").read_text())["resources"]
    assert path.name in listed


def test_rules_are_what_the_chart_renders() -> None:
    """Those for kustomize are made without Helm, by make generate."""
    charts = {
        m["metadata"]["name"]: m["spec"] for m in render({"prometheusRule": {"enabled": True}}) if "Rule" in m["kind"]
    }
    plain = {m["metadata"]["name"]: m["spec"] for m in built("deploy/kubernetes/operator") if "Rule" in m["kind"]}
    assert plain == charts


@pytest.mark.parametrize("folder", ["exporter", "operator", "example"])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_cluster_takes_what_kustomize_builds(folder: str, version: str) -> None:
    """In every version of Kubernetes."""
    manifests = built(f"deploy/kubernetes/{folder}")
    assert manifests
    for manifest in manifests:
        accepted(manifest, version)


def test_the_example_is_one_whole(tmp_path: Path) -> None:
    """Namespace, image, role and configuration are those that it names, and reach the pods."""
    manifests = built("deploy/kubernetes/example")
    assert {manifest["metadata"]["namespace"] for manifest in manifests} == {"monitoring"}
    assert container_of(manifests)["image"].startswith("registry.example.com/qbusiness-exporter:")
    assert only(manifests, "ServiceAccount")["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] == ROLE
    config = tmp_path / "config.yaml"
    config.write_text(config_of(manifests))
    assert load(config).config.targets[0].name == "production"
    watched = [m for m in manifests if m["apiVersion"].startswith("monitoring.coreos.com/")]
    assert {m["metadata"]["labels"]["release"] for m in watched} == {"kube-prometheus-stack"}
    service = only(manifests, "Service")["metadata"]["labels"]
    assert only(manifests, "ServiceMonitor")["spec"]["selector"]["matchLabels"].items() <= service.items()
