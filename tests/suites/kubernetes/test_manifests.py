"""The plain manifests for kustomize, which are rendered from the chart."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from deploy.generate import rendered
from exporter.config import load
from exporter.providers.registry import SERVICES
from tests.suites.kubernetes.chart import (
    NAMESPACE,
    ROLE,
    ROOT,
    VERSIONS,
    config_of,
    container_of,
    only,
    parse,
    pod_of,
    render,
    render_templates,
    validate,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.suites.kubernetes.chart import Manifest

MANIFESTS = ROOT / "deploy" / "kubernetes"
DATABASE = "qbusiness-exporter-database"
# Kustomize sets the namespace and generates the ConfigMap, whose name changes with its content. The labels that Helm
# sets would be wrong.
NOT_RENDERED = {"configmap.yaml"}
ONLY_WITH_HELM = re.compile(
    rf" *(namespace: {NAMESPACE}|helm\.sh/chart: .*|app\.kubernetes\.io/managed-by: Helm"
    r"|annotations:\n +checksum/config: .*)\n"
)
VALUES: dict[str, Manifest] = {
    "exporter": {"serviceMonitor": {"enabled": True}, "tests": {"enabled": False}},
    "replicas": {
        "replicaCount": 3,
        "state": {
            "postgresql": {
                "url": "postgresql://exporter@db.internal/exporter"
                "?sslmode=verify-full&sslrootcert=/etc/qbusiness-exporter-database-ca/ca.crt",
                "existingSecret": DATABASE,
            }
        },
        "extraVolumes": [
            {
                "name": "database-ca",
                "secret": {"secretName": DATABASE, "items": [{"key": "ca.crt", "path": "ca.crt"}]},
            }
        ],
        "extraVolumeMounts": [
            {"name": "database-ca", "mountPath": "/etc/qbusiness-exporter-database-ca", "readOnly": True}
        ],
        "tests": {"enabled": False},
    },
}
"""The values of the chart for each folder."""


def expected_manifests() -> dict[Path, str]:
    """Return the text of each plain manifest."""
    return {
        MANIFESTS / ("operator" if name == "servicemonitor.yaml" else folder) / name: rendered(
            ONLY_WITH_HELM.sub("", text.lstrip())
        )
        for folder, values in VALUES.items()
        for name, text in render_templates(values).items()
        if name not in NOT_RENDERED
    }


def build(folder: str) -> list[Manifest]:
    """Build a folder with kubectl; return its objects."""
    command = ["kubectl", "kustomize", str(ROOT / folder)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    return list(parse([result.stdout]))


@pytest.mark.parametrize("path", expected_manifests(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_manifests_are_what_the_chart_renders(path: Path, pytestconfig: pytest.Config) -> None:
    """Both ways to install create the same objects."""
    if pytestconfig.getoption("rewrite_golden"):
        path.write_text(expected_manifests()[path])
    assert path.read_text() == expected_manifests()[path]
    listed = yaml.safe_load((path.parent / "kustomization.yaml").read_text())["resources"]
    assert path.name in listed


def test_rules_are_what_the_chart_renders() -> None:
    """`make generate` generates the rules for kustomize without Helm; they are equal."""
    values = {"prometheusRule": {"enabled": True}, "services": [*SERVICES]}
    charts = {m["metadata"]["name"]: m["spec"] for m in render(values) if "Rule" in m["kind"]}
    plain = {m["metadata"]["name"]: m["spec"] for m in build("deploy/kubernetes/operator") if "Rule" in m["kind"]}
    assert plain == charts


@pytest.mark.parametrize("folder", ["exporter", "replicas", "operator", "example"])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_cluster_accepts_what_kustomize_builds(folder: str, version: str) -> None:
    """This applies to each supported version of Kubernetes."""
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


def test_the_replicas_are_configured_for_what_the_pods_mount(tmp_path: Path) -> None:
    """The chart configures the state. The password and the authority of the database are keys of one Secret."""
    manifests = build("deploy/kubernetes/replicas")
    config, rendered = tmp_path / "config.yaml", tmp_path / "rendered.yaml"
    config.write_text(config_of(manifests))
    rendered.write_text(config_of(render(VALUES["replicas"])))
    state = load(config).config.state
    assert state == load(rendered).config.state
    (certificate,) = parse_qs(urlsplit(state.url or "").query)["sslrootcert"]
    assert keys_by_file(manifests, DATABASE) == {state.password_file: "password", certificate: "ca.crt"}
    create = f"kubectl create secret generic {DATABASE} --from-file=password --from-file=ca.crt"
    assert create in (ROOT / "docs" / "replicas.md").read_text()


def keys_by_file(manifests: list[Manifest], secret: str) -> dict[str, str]:
    """Return the key of a Secret by each file that the pods mount from it."""
    mounts = {mount["name"]: mount["mountPath"] for mount in container_of(manifests)["volumeMounts"]}
    volumes = [volume for volume in pod_of(manifests)["spec"]["volumes"] if "secret" in volume]
    return {
        f"{mounts[volume['name']]}/{item['path']}": item["key"]
        for volume in volumes
        if volume["secret"]["secretName"] == secret
        for item in volume["secret"]["items"]
    }
