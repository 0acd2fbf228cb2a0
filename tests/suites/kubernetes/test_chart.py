"""The chart: the manifests that it renders from its values, and that a cluster accepts them."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from helm_python.chart import Chart, lint
from helm_python.errors import HelmError

from exporter import __version__
from tests.suites.kubernetes.chart import (
    ALL_VALUES,
    CHART,
    CI_VALUES,
    NAME,
    NAMESPACE,
    OPERATORS,
    ROLE,
    ROOT,
    VERSIONS,
    WEB,
    config_of,
    container_of,
    only,
    pod_of,
    render,
    render_notes,
    validate,
    workload_of,
)

if TYPE_CHECKING:
    from pathlib import Path

ALWAYS = {"ServiceAccount", "ConfigMap", "Service", "StatefulSet", "NetworkPolicy", "Pod"}
MONITORED = {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}
ALL_KINDS = {"Secret", "PodDisruptionBudget", "ServiceMonitor", "PrometheusRule", "LimitRange", "ResourceQuota"}

DATABASE = {"postgresql": {"url": "postgresql://exporter@db.internal/exporter"}}

COMBINATIONS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "defaults": (CI_VALUES["default"], ALWAYS),
    "all values": (ALL_VALUES, ALWAYS | ALL_KINDS),
    "behind a proxy": (CI_VALUES["behind-proxy"], ALWAYS | {"Ingress", "HTTPRoute"}),
    "config reloader": (CI_VALUES["config-reloader"], ALWAYS - {"ConfigMap"}),
    "existing claim": (CI_VALUES["existing-claim"], ALWAYS - {"Pod"}),
    "pod monitor": (CI_VALUES["pod-monitor"], ALWAYS | {"PodMonitor"}),
    "rules": (CI_VALUES["rules"], ALWAYS | {"PrometheusRule"}),
    "postgresql": (CI_VALUES["postgresql"], ALWAYS - {"StatefulSet"} | {"Deployment", "PodDisruptionBudget"}),
    "services": (CI_VALUES["services"], ALWAYS | {"PrometheusRule"}),
    "umbrella": (CI_VALUES["umbrella"], ALWAYS),
    "operator": (MONITORED, ALWAYS | {"ServiceMonitor", "PrometheusRule"}),
    "irsa": ({"serviceAccount": {"roleArn": ROLE}}, ALWAYS),
    "own service account": ({"serviceAccount": {"create": False, "name": "aws"}}, ALWAYS - {"ServiceAccount"}),
    "default service account": ({"serviceAccount": {"create": False}}, ALWAYS - {"ServiceAccount"}),
    "own configuration": ({"existingConfigMap": "mine"}, ALWAYS - {"ConfigMap"}),
    "own web configuration": ({"webConfig": {"existingSecret": "web", "tls": True}, **MONITORED},
                              ALWAYS | {"ServiceMonitor", "PrometheusRule"}),
    "password": ({"webConfig": {"content": {"basic_auth_users": {"prometheus": "$2y$10$x"}}}}, ALWAYS | {"Secret"}),
    "no volume": ({"persistence": {"enabled": False}}, ALWAYS),
    "no network policy": ({"networkPolicy": {"enabled": False}}, ALWAYS - {"NetworkPolicy"}),
    "no pod identity agent": ({"networkPolicy": {"podIdentity": False}}, ALWAYS),
    "replicas": ({"replicaCount": 3, "podDisruptionBudget": {"enabled": True}}, ALWAYS | {"PodDisruptionBudget"}),
    "node port": ({"service": {"type": "NodePort", "port": 80}}, ALWAYS),
    "host network": ({"hostNetwork": True}, ALWAYS),
    "long names": ({"nameOverride": "n" * 63, "fullnameOverride": "f" * 52}, ALWAYS),
    "switched off": ({"replicaCount": 0}, ALWAYS),
    "openshift": ({"podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}}, ALWAYS),
}  # fmt: skip


@pytest.mark.parametrize(("values", "kinds"), COMBINATIONS.values(), ids=COMBINATIONS)
def test_a_cluster_accepts_the_objects(values: dict[str, Any], kinds: set[str]) -> None:
    """The chart renders the expected kinds of objects, and each supported version of Kubernetes accepts them."""
    manifests = render(values)
    assert {manifest["kind"] for manifest in manifests} == kinds
    for manifest in manifests:
        for version in VERSIONS:
            validate(manifest, version)
        assert manifest["metadata"]["namespace"] == NAMESPACE or manifest["kind"] in OPERATORS
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests]
    assert len(names) == len(set(names))
    assert all(len(name) <= 63 for _, name in names)


@pytest.mark.parametrize(("values", "kinds"), COMBINATIONS.values(), ids=COMBINATIONS)
def test_references_between_objects_resolve(values: dict[str, Any], kinds: set[str]) -> None:
    """This covers selectors, ports, volumes, ConfigMaps, Secrets and service accounts."""
    manifests = render(values)
    pod, container = pod_of(manifests), container_of(manifests)
    labels = pod["metadata"]["labels"].items()
    service, workload = only(manifests, "Service"), workload_of(manifests)
    assert service["spec"]["selector"].items() <= labels
    assert workload["spec"]["selector"]["matchLabels"].items() <= labels
    if "StatefulSet" in kinds:
        assert workload["spec"]["serviceName"] == service["metadata"]["name"]
    assert [port["name"] for port in container["ports"]] == [service["spec"]["ports"][0]["targetPort"]] == ["metrics"]
    for kind in kinds & {"NetworkPolicy", "PodDisruptionBudget"}:
        selector = only(manifests, kind)["spec"]
        assert selector.get("podSelector", selector.get("selector"))["matchLabels"].items() <= labels
    # Otherwise the network policy would apply to the pod of `helm test`, which then could not reach the exporter.
    for test in (manifest for manifest in manifests if manifest["kind"] == "Pod"):
        assert not workload["spec"]["selector"]["matchLabels"].items() <= test["metadata"]["labels"].items()
    if "ServiceMonitor" in kinds:
        monitor = only(manifests, "ServiceMonitor")["spec"]
        assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert monitor["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    if "PodMonitor" in kinds:
        monitor = only(manifests, "PodMonitor")["spec"]
        assert monitor["selector"]["matchLabels"].items() <= labels
        assert monitor["podMetricsEndpoints"][0]["port"] == container["ports"][0]["name"]
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    claims = {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
    assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes) | claims
    assert len({*volumes, *claims}) == len(pod["spec"]["volumes"]) + len(claims)
    rendered = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests}
    if "ConfigMap" in kinds:
        assert ("ConfigMap", volumes["config"]["configMap"]["name"]) in rendered
    if "Secret" in kinds:
        assert ("Secret", volumes["web"]["secret"]["secretName"]) in rendered
    if "ServiceAccount" in kinds:
        assert ("ServiceAccount", pod["spec"]["serviceAccountName"]) in rendered
    for constraint in pod["spec"].get("topologySpreadConstraints", []):
        assert constraint["labelSelector"]["matchLabels"].items() <= labels


@pytest.mark.parametrize("values", [{}, ALL_VALUES], ids=["defaults", "all values"])
def test_helm_lint_finds_nothing(values: dict[str, Any]) -> None:
    """The strict linter reports only that the chart has no icon."""
    report = lint(CHART, values, strict=True)
    assert report["errors"] == []
    assert [message["error"] for message in report["messages"]] == ["icon is recommended"]


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"imgae": {}}, "imgae"),
        ({"replicaCount": "two"}, "/replicaCount"),
        ({"replicas": 2}, "replicas"),
        ({"config": {"pollling": {}}}, "pollling"),
        ({"config": {"polling": {"interval": "1 minute"}}}, "/config/polling/interval"),
        ({"serviceAccount": {"roleArn": "qbusiness-exporter"}}, "/serviceAccount/roleArn"),
        ({"image": {"digest": "latest"}}, "/image/digest"),
        ({"log": {"level": "verbose"}}, "/log/level"),
        ({"persistence": {"accessModes": ["ReadWriteMany"]}}, "/persistence/accessModes/0"),
        ({"serviceMonitor": {"interval": "30"}}, "/serviceMonitor/interval"),
        ({"serviceMonitor": {"basicAuth": {"username": "me"}}}, "/serviceMonitor/basicAuth"),
        ({"networkPolicy": {"egress": []}}, "egress"),
        ({"extraVolumes": [{"configMap": {}}]}, "/extraVolumes/0"),
        ({"runbookUrl": "https://wiki.example.com/qbusiness/"}, "/runbookUrl"),
        ({"externalUrl": "qbusiness.example.com"}, "/externalUrl"),
        ({"extraArgs": ["log.level=debug"]}, "/extraArgs/0"),
        ({"terminationGracePeriodSeconds": 5}, "/terminationGracePeriodSeconds"),
        ({"prometheusRule": {"defaultRules": {"disabled": {"QBusinessSyncFial": True}}}}, "QBusinessSyncFial"),
        ({"prometheusRule": {"overrides": {"QBusinessSyncFial": {}}}}, "QBusinessSyncFial"),
        ({"prometheusRule": {"overrides": {"QBusinessSyncFailed": {"for": "soon"}}}}, "/QBusinessSyncFailed/for"),
        ({"serviceMonitor": {"honourLabels": True}}, "honourLabels"),
        ({"aws": {"region": "us-east-1a"}}, "/aws/region"),
    ],
)
def test_an_invalid_value_is_rejected(values: dict[str, Any], place: str) -> None:
    """Rendering fails with the key of the value, including for values of the exporter's configuration."""
    with pytest.raises(HelmError, match=re.escape(place)):
        render(values)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"serviceMonitor": {"interval": "5m"}}, "serviceMonitor.interval is 5m: use at most 1m"),
        ({"podMonitor": {"interval": "120s"}}, "podMonitor.interval is 120s: use at most 1m"),
        ({"serviceMonitor": {"interval": "10s", "scrapeTimeout": "15s"}}, "longer than the interval of 10s"),
        ({"podMonitor": {"interval": "1m", "scrapeTimeout": "1m1s"}}, "longer than the interval of 1m"),
        ({"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}, "would scrape each pod twice"),
        ({"serviceMonitor": {"enabled": True, "basicAuth": {"username": {"name": "a", "key": "b"}}}}, "and password"),
        ({"prometheusRule": {"additionalRuleLabels": {"severity": "page"}}}, "every alert would have the same one"),
        ({"config": {"state": {"path": "/state/state.db"}}}, "config.state.path /state/state.db is not on a volume"),
        ({"config": {"state": {"path": "/data2/s.db"}}, "extraVolumeMounts": [{"name": "d", "mountPath": "/data"}]},
         "is not on a volume"),
        ({"persistence": {"existingClaim": "a"}, "replicaCount": 2}, "two exporters cannot share a state file"),
        ({"persistence": {"existingClaim": "a", "enabled": False}}, "remove one of them"),
        ({"podDisruptionBudget": {"minAvailable": 1, "maxUnavailable": 2}}, "Kubernetes accepts one of them"),
        ({"configReloader": {"enabled": True}}, "without existingConfigMap"),
        ({"configReloader": {"enabled": True}, "webConfig": {"content": {"basic_auth_users": {"a": "b"}}}},
         "the sidecar sends no password"),
        ({"ingress": {"enabled": True}}, "without ingress.hosts"),
        ({"state": DATABASE, "config": {"state": {"path": "a.db"}}}, "remove config.state"),
        ({"state": DATABASE, "existingConfigMap": "mine"}, "the chart cannot add the URL"),
        ({"state": DATABASE, "persistence": {"existingClaim": "a"}}, "the state is in the database"),
        ({"state": DATABASE, "updateStrategy": {"type": "OnDelete"}}, "a Deployment does not have it"),
        ({"updateStrategy": {"type": "Recreate"}}, "a StatefulSet does not have it"),
        ({"state": {"postgresql": {"url": "postgresql://exporter:secret@db/exporter"}}}, "use existingSecret"),
        ({"state": {"postgresql": {"url": "postgresql://db/exporter?user=a&password=secret"}}}, "use existingSecret"),
        ({"state": {"postgresql": {"existingSecret": "database"}}}, "but no url"),
        ({"config": {"state": {"url": "postgresql://exporter@db/exporter"}}}, "use state.postgresql.url"),
        ({"prometheusRule": {"enabled": True, "overrides": {"QBusinessSyncFailed": {"threshold": 1}}}},
         "QBusinessSyncFailed.threshold: this alert has no threshold"),
    ],
)  # fmt: skip
def test_values_that_cannot_work_are_rejected_with_a_reason(values: dict[str, Any], reason: str) -> None:
    """The schema accepts each value, but an installation would not work as intended."""
    with pytest.raises(HelmError, match=re.escape(reason)):
        render(values)


@pytest.mark.parametrize(("enabled", "registry"), [(True, "registry.example.com/"), (False, None)])
def test_a_parent_chart_enables_the_chart(tmp_path: Path, registry: str | None, *, enabled: bool) -> None:
    """A condition of the parent chart may be false, and its global values apply."""
    dependency = {"name": "qbusiness-exporter", "version": __version__, "condition": "qbusiness-exporter.enabled"}
    parent = {"apiVersion": "v2", "name": "parent", "version": "1.0.0", "dependencies": [dependency]}
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump(parent))
    shutil.copytree(CHART, tmp_path / "charts" / "qbusiness-exporter")
    manifests = render({"global": CI_VALUES["umbrella"]["global"], NAME: {"enabled": enabled}}, path=tmp_path)
    images = [container_of(manifests)["image"]] if manifests else []
    assert images == ([f"{registry}qbusiness-exporter:{__version__}"] if registry else [])


def test_the_chart_can_be_packaged(tmp_path: Path) -> None:
    """The archive renders the same objects, has no other files, and has the version of the exporter."""
    with Chart.load(CHART) as chart:
        assert (chart.version, chart.metadata["appVersion"]) == (__version__, __version__)
        archive = chart.save(tmp_path)
        files = {file["name"] for file in chart.files}
    assert render(ALL_VALUES, path=archive) == render(ALL_VALUES)
    assert all(name.startswith("files/") or name in {".helmignore", "README.md"} for name in files)


def test_names_follow_the_release() -> None:
    """Two releases can be installed in one namespace."""
    assert only(render(name="qbusiness-exporter"), "Service")["metadata"]["name"] == "qbusiness-exporter"
    assert only(render(name="europe"), "Service")["metadata"]["name"] == "europe-qbusiness-exporter"


def test_the_values_of_the_documentation_work() -> None:
    """The chart accepts them, and a cluster accepts the objects."""
    page = (ROOT / "docs" / "deployment.md").read_text()
    (text,) = re.findall(r"```yaml\n(# my-values\.yaml\n.*?)```", page, re.DOTALL)
    manifests = render(yaml.safe_load(text))
    kinds = {manifest["kind"] for manifest in manifests}
    assert kinds == ALWAYS | {"ServiceMonitor", "PrometheusRule"}
    for manifest in manifests:
        validate(manifest, VERSIONS[-1])
    assert yaml.safe_load(config_of(manifests))["targets"][0]["name"] == "production"


def test_the_notes_list_what_is_missing() -> None:
    """They mention a missing role, ServiceMonitor, volume, image and region."""
    assert "port-forward service/qbusiness-exporter 10142:10142" in render_notes()
    assert "No IAM role is set" in render_notes()
    assert "No IAM role is set" not in render_notes({"serviceAccount": {"roleArn": ROLE}})
    assert "No ServiceMonitor is installed" in render_notes()
    assert "No ServiceMonitor is installed" not in render_notes(MONITORED)
    assert "The alerts link to http://localhost:10142" in render_notes(MONITORED)
    assert "The alerts link" not in render_notes({**MONITORED, "externalUrl": "https://exporter.example.com"})
    assert "emptyDir" in render_notes({"persistence": {"enabled": False}})
    assert "https://localhost" in render_notes({"webConfig": {"content": WEB}})
    assert "set image.registry" in render_notes()
    assert "set aws.region" in render_notes()
    for values in (
        ALL_VALUES,
        {**ALL_VALUES, "aws": {}},
        {**ALL_VALUES, "aws": {}, "config": {}, "existingConfigMap": "x"},
    ):
        assert "set image.registry" not in render_notes(values)
        assert "set aws.region" not in render_notes(values)
