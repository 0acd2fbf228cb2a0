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
OPERATORS = {kind: getattr(operator, kind) for kind in ("ServiceMonitor", "PodMonitor", "PrometheusRule")}

Manifest = dict[str, Any]

CI_VALUES: dict[str, Manifest] = {
    path.name.removesuffix("-values.yaml"): yaml.safe_load(path.read_text())
    for path in sorted((CHART / "ci").glob("*-values.yaml"))
}
"""The values of each file in ci/, which the chart-testing tool of Helm installs too."""
ALL_VALUES = CI_VALUES["all"]
ROLE = ALL_VALUES["serviceAccount"]["roleArn"]
WEB = ALL_VALUES["webConfig"]["content"]


def render(values: Mapping[str, Any] | None = None, name: str = NAME, path: Path | str = CHART) -> list[Manifest]:
    """Render the chart as for an installation; return its objects."""
    return list(parse(render_templates(values, name, path).values()))


def render_templates(
    values: Mapping[str, Any] | None = None, name: str = NAME, path: Path | str = CHART
) -> dict[str, str]:
    """Render the chart; return the text of each template, without the notes."""
    with Chart.load(path) as chart:
        texts = chart.render(dict(values or {}), name=name, namespace=NAMESPACE)
    manifests = {file: text for file, text in texts.items() if file.endswith(".yaml") and text.strip()}
    return {file.partition("/templates/")[2]: text for file, text in manifests.items()}


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


def workload_of(manifests: Iterable[Manifest]) -> Manifest:
    """Return the StatefulSet, or the Deployment if replicas share their state."""
    (found,) = (manifest for manifest in manifests if manifest["kind"] in {"StatefulSet", "Deployment"})
    return found


def pod_of(manifests: Iterable[Manifest]) -> Manifest:
    """Return the template of the exporter's pods."""
    template: Manifest = workload_of(manifests)["spec"]["template"]
    return template


def container_of(manifests: Iterable[Manifest]) -> Manifest:
    """Return the exporter's container."""
    found: Manifest = pod_of(manifests)["spec"]["containers"][0]
    assert found["name"] == "exporter"
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
    elif manifest["kind"] == "HTTPRoute":
        validate_route(manifest["spec"])
    else:
        kubernetes_validate.validate(manifest, version, strict=True)


def validate_route(spec: Manifest) -> None:
    """Raise an error if a route has keys that the Gateway API does not have, or no gateway."""
    assert spec.keys() <= {"parentRefs", "hostnames", "rules"}
    assert all(parent["name"] for parent in spec["parentRefs"])
    for rule in spec["rules"]:
        assert rule.keys() <= {"name", "matches", "filters", "backendRefs", "timeouts"}
        assert all(backend.keys() == {"name", "port"} for backend in rule.get("backendRefs", []))
