"""The pods of the chart: their security, configuration, credentials, network, state and probes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter import __version__
from exporter.cli.arguments import parse as parse_arguments
from exporter.config import load
from tests.suites.kubernetes.chart import (
    ALL_VALUES,
    CI_VALUES,
    ROLE,
    ROOT,
    WEB,
    config_of,
    container_of,
    only,
    pod_of,
    render,
    render_notes,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_pods_have_no_privileges() -> None:
    """They meet the restricted pod security standard, with a read-only root and no token for the Kubernetes API."""
    manifests = render()
    pod, container = pod_of(manifests)["spec"], container_of(manifests)
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert pod["automountServiceAccountToken"] is False
    assert only(manifests, "ServiceAccount")["automountServiceAccountToken"] is False
    assert container["resources"]["limits"]["memory"]


def test_chart_and_image_agree() -> None:
    """The chart has the user, port, directories and version of the Dockerfile."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    manifests = render()
    pod, container = pod_of(manifests)["spec"], container_of(manifests)
    security = pod["securityContext"]
    assert f"\nUSER {security['runAsUser']}:{security['runAsGroup']}\n" in dockerfile
    assert f"\nEXPOSE {container['ports'][0]['containerPort']}\n" in dockerfile
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert f"\nWORKDIR {mounts['state']}\n" in dockerfile
    assert f'--config.file={mounts["config"]}/config.yaml"]\n' in dockerfile
    assert container["image"] == f"qbusiness-exporter:{__version__}"


@pytest.mark.parametrize("values", [{}, ALL_VALUES], ids=["defaults", "all values"])
def test_the_exporter_accepts_its_arguments_and_configuration(values: dict[str, Any], tmp_path: Path) -> None:
    """It parses the command line, and loads the configuration of the values."""
    manifests = render(values)
    config = tmp_path / "config.yaml"
    config.write_text(config_of(manifests))
    parsed = parse_arguments([f"--config.file={config}", *container_of(manifests)["args"]])
    assert parsed.log_format == values.get("log", {}).get("format", "logfmt")
    expected = tmp_path / "expected.yaml"
    expected.write_text(yaml.safe_dump(values.get("config", {})))
    assert load(config) == load(expected)


def test_a_changed_configuration_restarts_the_pods() -> None:
    """The web config does not restart them, because the exporter rereads it."""

    def annotations(values: dict[str, Any]) -> object:
        return pod_of(render(values))["metadata"]["annotations"]

    changed = {"config": {"polling": {"interval": "2m"}}}
    assert annotations({}) != annotations(changed)
    assert annotations(changed) == annotations({**changed, "webConfig": {"content": WEB}})


def test_pods_get_their_role_from_irsa_or_pod_identity() -> None:
    """IRSA needs an annotation. Pod Identity needs none, but the network policy must allow its agent."""
    annotated = only(render({"serviceAccount": {"roleArn": ROLE}}), "ServiceAccount")["metadata"]["annotations"]
    assert annotated == {"eks.amazonaws.com/role-arn": ROLE}
    european = ROLE.replace("arn:aws:", "arn:aws-eusc:")
    assert only(render({"serviceAccount": {"roleArn": european}}), "ServiceAccount")["metadata"]["annotations"]
    manifests = render({"aws": {"region": "eu-west-1"}})
    assert "annotations" not in only(manifests, "ServiceAccount")["metadata"]
    assert container_of(manifests)["env"] == [{"name": "AWS_REGION", "value": "eu-west-1"}]
    agent = {"ipBlock": {"cidr": "169.254.170.23/32"}}
    assert any(agent in rule.get("to", []) for rule in only(manifests, "NetworkPolicy")["spec"]["egress"])


def test_the_network_policy_allows_only_necessary_traffic() -> None:
    """It allows ingress to the metrics port, and egress to DNS, AWS and the agent of Pod Identity."""
    policy = only(render(), "NetworkPolicy")["spec"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert [port["port"] for rule in policy["ingress"] for port in rule["ports"]] == ["metrics"]
    assert [port["port"] for rule in policy["egress"] for port in rule["ports"]] == [53, 53, 5353, 5353, 443, 80]
    restricted = only(render(ALL_VALUES), "NetworkPolicy")["spec"]
    *clients, test = restricted["ingress"][0]["from"]
    assert clients == ALL_VALUES["networkPolicy"]["ingressFrom"]
    (pod,) = (manifest for manifest in render(ALL_VALUES) if manifest["kind"] == "Pod")
    assert test["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert restricted["egress"][1]["to"] == ALL_VALUES["networkPolicy"]["egressTo"]


def test_each_replica_has_its_own_state() -> None:
    """A replica that does not become ready does not delay the others."""
    spec = only(render({"replicaCount": 2}), "StatefulSet")["spec"]
    (claim,) = spec["volumeClaimTemplates"]
    assert (claim["kind"], claim["metadata"]["name"]) == ("PersistentVolumeClaim", "state")
    assert spec["podManagementPolicy"] == "Parallel"
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert "times as many requests" not in render_notes()
    assert "AWS receives 2 times as many requests" in render_notes({"replicaCount": 2})


def test_replicas_on_postgresql_are_a_deployment() -> None:
    """They need no volume for state, are spread over nodes and zones, and are not evicted together."""
    manifests = render(CI_VALUES["postgresql"])
    spec = only(manifests, "Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (3, {"type": "RollingUpdate"})
    pod = pod_of(manifests)["spec"]
    (state,) = (volume for volume in pod["volumes"] if volume["name"] == "state")
    assert "emptyDir" in state
    assert [each["topologyKey"] for each in pod["topologySpreadConstraints"]] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    assert only(manifests, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert "share the targets" in render_notes(CI_VALUES["postgresql"])
    switched_off = {**CI_VALUES["postgresql"], "podDisruptionBudget": {"enabled": False}}
    assert "PodDisruptionBudget" not in {manifest["kind"] for manifest in render(switched_off)}


def test_replicas_on_postgresql_reach_the_database(tmp_path: Path) -> None:
    """The configuration has the URL and the mounted password, and the network policy allows the port."""
    manifests = render(CI_VALUES["postgresql"])
    file = tmp_path / "config.yaml"
    file.write_text(config_of(manifests))
    state = load(file).config.state
    assert state.url == CI_VALUES["postgresql"]["state"]["postgresql"]["url"]
    (mount,) = (each for each in container_of(manifests)["volumeMounts"] if each["name"] == "database")
    (volume,) = (each for each in pod_of(manifests)["spec"]["volumes"] if each["name"] == "database")
    assert state.password_file == f"{mount['mountPath']}/{volume['secret']['items'][0]['path']}"
    assert volume["secret"]["secretName"] == "database"
    ports = {port["port"] for rule in only(manifests, "NetworkPolicy")["spec"]["egress"] for port in rule["ports"]}
    assert 6432 in ports
    several = {"state": {"postgresql": {"url": "postgresql://exporter@a:5433,b/exporter"}}}
    policy = only(render(several), "NetworkPolicy")["spec"]
    assert {5433, 5432} <= {port["port"] for rule in policy["egress"] for port in rule["ports"]}


def test_an_upgrade_changes_no_immutable_fields() -> None:
    """The immutable fields of the StatefulSet depend neither on the version nor on values except `persistence`."""

    def immutable_fields(values: dict[str, Any]) -> dict[str, Any]:
        spec = only(render(values), "StatefulSet")["spec"]
        return {key: spec[key] for key in ("serviceName", "selector", "podManagementPolicy", "volumeClaimTemplates")}

    values = {key: value for key, value in ALL_VALUES.items() if key != "persistence"}
    assert immutable_fields({}) == immutable_fields(values)
    assert __version__ not in str(immutable_fields({}))


@pytest.mark.parametrize(
    ("web", "scheme"),
    [
        ({"content": WEB}, "https"),
        ({"existingSecret": "web", "tls": True}, "https"),
        ({"content": {"basic_auth_users": {"a": "b"}}}, None),
        ({"existingSecret": "web"}, None),
        ({}, None),
    ],
)
def test_probes_and_scrapes_work_with_a_web_config(web: dict[str, Any], scheme: str | None) -> None:
    """Prometheus uses the right scheme. Probes run inside the container, because the kubelet has no password."""
    manifests = render({"webConfig": web, "serviceMonitor": {"enabled": True}})
    assert only(manifests, "ServiceMonitor")["spec"]["endpoints"][0].get("scheme") == scheme
    container = container_of(manifests)
    probes = {name: container[name] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    flag = "--web.config.file=/etc/qbusiness-exporter-web/web.yaml"
    assert (flag in container["args"]) is bool(web)
    for name, probe in probes.items():
        path = "/-/ready" if name == "readinessProbe" else "/-/healthy"
        if web:
            assert probe["exec"]["command"] == ["healthcheck", path]
        else:
            assert probe["httpGet"] == {"path": path, "port": "metrics"}


def test_a_prefix_reaches_the_exporter_and_its_probes() -> None:
    """The kubelet requests the paths that the exporter serves, and the Ingress has the same path."""
    manifests = render(CI_VALUES["behind-proxy"])
    container = container_of(manifests)
    assert "--web.external-url=https://ops.example.com/qb" in container["args"]
    assert "--grafana.url=https://grafana.example.com" in container["args"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/qb/-/ready"
    assert only(manifests, "Pod")["spec"]["containers"][0]["command"] == [
        "healthcheck",
        "http://qbusiness-exporter.monitoring:10142/qb/-/healthy",
    ]
    (rule,) = only(manifests, "Ingress")["spec"]["rules"]
    assert [path["path"] for path in rule["http"]["paths"]] == ["/qb"]
    routes = {m["metadata"]["name"]: m["spec"]["rules"] for m in manifests if m["kind"] == "HTTPRoute"}
    assert routes.keys() == {"qbusiness-exporter", "qbusiness-exporter-redirect"}
    assert [filter_["type"] for filter_ in routes["qbusiness-exporter-redirect"][0]["filters"]] == ["RequestRedirect"]


def test_the_sidecar_reloads_the_mounted_configuration() -> None:
    """It watches the folder of the exporter's configuration file, and requests a reload with the right scheme."""
    exporter, sidecar = pod_of(render(CI_VALUES["config-reloader"]))["spec"]["containers"]
    assert sidecar["args"] == [
        "--watched-dir=/etc/qbusiness-exporter",
        "--reload-url=https://127.0.0.1:10142/-/reload",
    ]
    assert sidecar["image"].startswith("quay.io/prometheus-operator/prometheus-config-reloader:v")
    folder = {mount["name"]: mount["mountPath"] for mount in exporter["volumeMounts"]}["config"]
    assert sidecar["volumeMounts"] == [{"name": "config", "mountPath": folder, "readOnly": True}]


def test_the_global_registry_applies_to_every_image() -> None:
    """An umbrella chart sets one registry for all its charts."""
    values = {**CI_VALUES["config-reloader"], "global": {"imageRegistry": "mirror.example.com/"}}
    images = [container["image"] for container in pod_of(render(values))["spec"]["containers"]]
    assert all(image.startswith("mirror.example.com/") for image in images)
    assert len(images) == 2


def test_an_existing_claim_replaces_the_claims_of_the_chart() -> None:
    """The state is on the claim that the values name."""
    manifests = render(CI_VALUES["existing-claim"])
    assert "volumeClaimTemplates" not in only(manifests, "StatefulSet")["spec"]
    volumes = {volume["name"]: volume for volume in pod_of(manifests)["spec"]["volumes"]}
    assert volumes["state"]["persistentVolumeClaim"] == {"claimName": "qbusiness-exporter-state"}
