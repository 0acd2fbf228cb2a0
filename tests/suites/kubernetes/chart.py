"""The chart as Helm renders it, and validation of its objects without a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import yaml
from cloudcoil.models.prometheus_operator import v1 as operator
from helm_python.chart import Chart

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy" / "helm" / "qbusiness-exporter"
NAME, NAMESPACE = "qbusiness-exporter", "monitoring"
VERSIONS = ("1.27", "1.30", "1.33", "1.35", "1.37")
OPERATORS = {"ServiceMonitor": operator.ServiceMonitor, "PrometheusRule": operator.PrometheusRule}

Manifest = dict[str, Any]

ROLE = "arn:aws:iam::111122223333:role/qbusiness-exporter"
WEB = {
    "tls_server_config": {
        "cert_file": "/etc/qbusiness-exporter-tls/tls.crt",
        "key_file": "/etc/qbusiness-exporter-tls/tls.key",
    }
}
ALL_VALUES: Manifest = {
    "image": {"repository": "registry.example.com/qbusiness-exporter", "digest": "sha256:" + "0" * 64},
    "imagePullSecrets": [{"name": "registry"}],
    "commonLabels": {"team": "search"},
    "replicas": 2,
    "config": {"targets": [{"region": "us-east-1", "discovery": {"exclude": [{"data_source": "*-test"}]}}]},
    "aws": {"region": "us-east-1", "fipsEndpoints": True},
    "serviceAccount": {"roleArn": ROLE, "annotations": {"eks.amazonaws.com/sts-regional-endpoints": "true"}},
    "log": {"level": "debug", "format": "json"},
    "env": [
        {"name": "HTTPS_PROXY", "value": "http://proxy:3128"},
        {"name": "AWS_CA_BUNDLE", "value": "/etc/proxy/ca.crt"},
    ],
    "envFrom": [{"secretRef": {"name": "aws"}}],
    "extraVolumes": [{"name": "proxy", "configMap": {"name": "proxy"}}],
    "extraVolumeMounts": [{"name": "proxy", "mountPath": "/etc/proxy", "readOnly": True}],
    "webConfig": {"content": WEB, "certificateSecret": "qbusiness-exporter-tls"},
    "persistence": {"size": "2Gi", "storageClassName": "gp3", "annotations": {"backup": "no"}},
    "podAnnotations": {"linkerd.io/inject": "disabled"},
    "podLabels": {"tier": "monitoring"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "monitoring", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
    "priorityClassName": "monitoring",
    "podDisruptionBudget": {"enabled": True},
    "service": {"annotations": {"a": "b"}},
    "networkPolicy": {
        "ingressFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "egressTo": [{"ipBlock": {"cidr": "10.0.0.0/16"}}],
        "instanceMetadata": True,
        "extraEgress": [{"ports": [{"port": 3128, "protocol": "TCP"}]}],
    },
    "serviceMonitor": {
        "enabled": True,
        "namespace": "prometheus",
        "labels": {"release": "kube-prometheus-stack"},
        "tlsConfig": {"ca": {"configMap": {"name": "ca", "key": "ca.crt"}}, "serverName": "qbusiness-exporter"},
        "basicAuth": {"username": {"name": "s", "key": "user"}, "password": {"name": "s", "key": "password"}},
        "relabelings": [{"action": "labeldrop", "regex": "pod"}],
    },
    "prometheusRule": {
        "enabled": True,
        "labels": {"release": "kube-prometheus-stack"},
        "ruleLabels": {"team": "search"},
    },
    "runbookUrl": "https://wiki.example.com/qbusiness/",
    "dashboards": {
        "enabled": True,
        "exporterUrl": "https://qbusiness.example.com",
        "grafanaUrl": "https://g.example.com",
    },
}
"""A value for each key of the chart."""


def render(values: Mapping[str, Any] | None = None, name: str = NAME, path: Path | str = CHART) -> list[Manifest]:
    """Render the chart as for an installation; return its objects."""
    return list(parse(render_templates(values, name, path).values()))


def render_templates(
    values: Mapping[str, Any] | None = None, name: str = NAME, path: Path | str = CHART
) -> dict[str, str]:
    """Render the chart; return the text of each template, without the notes."""
    with Chart.load(path) as chart:
        texts = chart.render(dict(values or {}), name=name, namespace=NAMESPACE)
    return {Path(file).name: text for file, text in texts.items() if file.endswith(".yaml") and text.strip()}


def render_notes(values: Mapping[str, Any] | None = None) -> str:
    """Render the notes that Helm prints after an installation."""
    with Chart.load(CHART) as chart:
        texts = chart.render(dict(values or {}), name=NAME, namespace=NAMESPACE)
    return "".join(text for file, text in texts.items() if file.endswith("NOTES.txt"))


def parse(texts: Iterable[str]) -> Iterator[Manifest]:
    """Yield the objects of YAML texts."""
    for text in texts:
        yield from (document for document in yaml.safe_load_all(text) if document)


def only(manifests: Iterable[Manifest], kind: str) -> Manifest:
    """Return the only object of a kind."""
    (found,) = (manifest for manifest in manifests if manifest["kind"] == kind)
    return found


def pod_of(manifests: Iterable[Manifest]) -> Manifest:
    """Return the template of the exporter's pods."""
    template: Manifest = only(manifests, "StatefulSet")["spec"]["template"]
    return template


def container_of(manifests: Iterable[Manifest]) -> Manifest:
    """Return the exporter's container."""
    (container,) = pod_of(manifests)["spec"]["containers"]
    found: Manifest = container
    return found


def config_of(manifests: Iterable[Manifest]) -> str:
    """Return the configuration that is mounted into the exporter's pods."""
    manifests = list(manifests)
    volumes = {volume["name"]: volume for volume in pod_of(manifests)["spec"]["volumes"]}
    name = volumes["config"]["configMap"]["name"]
    (found,) = (m for m in manifests if m["kind"] == "ConfigMap" and m["metadata"]["name"] == name)
    text: str = found["data"]["config.yaml"]
    return text


def validate(manifest: Manifest, version: str) -> None:
    """Raise an error if a cluster of a version would reject an object, or silently drop a part of it."""
    if model := OPERATORS.get(manifest["kind"]):
        validated = model.model_validate(manifest).model_dump(mode="json", by_alias=True, exclude_none=True)
        assert {key: validated[key] for key in manifest} == manifest
    else:
        kubernetes_validate.validate(manifest, version, strict=True)
