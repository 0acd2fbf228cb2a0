"""The chart: what comes of its values, and that a cluster takes it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from helm_python.chart import Chart, lint
from helm_python.errors import HelmError

from exporter import __version__
from exporter.cli.arguments import parse as parse_arguments
from exporter.config import load
from tests.suites.kubernetes.chart import (
    CHART,
    EVERYTHING,
    NAME,
    ROLE,
    ROOT,
    VERSIONS,
    WEB,
    accepted,
    config_of,
    container_of,
    notes,
    only,
    pod_of,
    render,
)

if TYPE_CHECKING:
    from pathlib import Path

ALWAYS = {"ServiceAccount", "ConfigMap", "Service", "StatefulSet", "NetworkPolicy"}
MONITORED = {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}

COMBINATIONS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "defaults": ({}, ALWAYS),
    "everything": (EVERYTHING, ALWAYS | {"Secret", "PodDisruptionBudget", "ServiceMonitor", "PrometheusRule"}),
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
    "only AWS's own network": ({"networkPolicy": {"podIdentity": False}}, ALWAYS),
    "replicas": ({"replicas": 3, "podDisruptionBudget": {"enabled": True}}, ALWAYS | {"PodDisruptionBudget"}),
    "node port": ({"service": {"type": "NodePort", "port": 80}}, ALWAYS),
    "long names": ({"nameOverride": "n" * 63, "fullnameOverride": "f" * 52}, ALWAYS),
    "switched off": ({"replicas": 0}, ALWAYS),
    "openshift": ({"podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}}, ALWAYS),
}  # fmt: skip


@pytest.mark.parametrize(("values", "kinds"), COMBINATIONS.values(), ids=COMBINATIONS)
def test_a_cluster_takes_whatever_the_values(values: dict[str, Any], kinds: set[str]) -> None:
    """All objects that belong together, and none that a version of Kubernetes refuses or partly drops."""
    manifests = render(values)
    assert {manifest["kind"] for manifest in manifests} == kinds
    for manifest in manifests:
        for version in VERSIONS:
            accepted(manifest, version)
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests]
    assert len(names) == len(set(names))
    assert all(len(name) <= 63 for _, name in names)


@pytest.mark.parametrize(("values", "kinds"), COMBINATIONS.values(), ids=COMBINATIONS)
def test_what_refers_to_another_finds_it(values: dict[str, Any], kinds: set[str]) -> None:
    """Selectors, names of ports, volumes, configuration, secrets and accounts."""
    manifests = render(values)
    pod, container = pod_of(manifests), container_of(manifests)
    labels = pod["metadata"]["labels"].items()
    service, stateful = only(manifests, "Service"), only(manifests, "StatefulSet")
    assert service["spec"]["selector"].items() <= labels
    assert stateful["spec"]["selector"]["matchLabels"].items() <= labels
    assert stateful["spec"]["serviceName"] == service["metadata"]["name"]
    assert [port["name"] for port in container["ports"]] == [service["spec"]["ports"][0]["targetPort"]] == ["metrics"]
    for kind in kinds & {"NetworkPolicy", "PodDisruptionBudget"}:
        selector = only(manifests, kind)["spec"]
        assert selector.get("podSelector", selector.get("selector"))["matchLabels"].items() <= labels
    if "ServiceMonitor" in kinds:
        monitor = only(manifests, "ServiceMonitor")["spec"]
        assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert monitor["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    claims = {claim["metadata"]["name"] for claim in stateful["spec"].get("volumeClaimTemplates", [])}
    assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes) | claims
    made = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests}
    if "ConfigMap" in kinds:
        assert ("ConfigMap", volumes["config"]["configMap"]["name"]) in made
    if "Secret" in kinds:
        assert ("Secret", volumes["web"]["secret"]["secretName"]) in made
    if "ServiceAccount" in kinds:
        assert ("ServiceAccount", pod["spec"]["serviceAccountName"]) in made
    for context in pod["spec"].get("topologySpreadConstraints", []):
        assert context["labelSelector"]["matchLabels"].items() <= labels


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_helm_finds_nothing_to_complain_of(values: dict[str, Any]) -> None:
    """Its linter, strictly, but for an icon, which we have none of."""
    report = lint(CHART, values, strict=True)
    assert report["errors"] == []
    assert [message["error"] for message in report["messages"]] == ["icon is recommended"]


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"imgae": {}}, "imgae"),
        ({"replicas": "two"}, "/replicas"),
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
        ({"runbookUrl": "https://wiki.example.com/qbusiness"}, "/runbookUrl"),
        ({"dashboards": {"exporterUrl": "https://qbusiness.example.com/"}}, "/dashboards/exporterUrl"),
        ({"aws": {"region": "us-east-1a"}}, "/aws/region"),
    ],
)
def test_a_wrong_value_is_refused_by_name(values: dict[str, Any], place: str) -> None:
    """Before anything is installed: those of the exporter's own configuration too."""
    with pytest.raises(HelmError, match=re.escape(place)):
        render(values)


def test_pods_have_no_privilege() -> None:
    """As the restricted pod security standard wants it, with a read-only root, and no token for Kubernetes."""
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
    """User, port, folders, version: as the Dockerfile has them."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    manifests = render()
    pod, container = pod_of(manifests)["spec"], container_of(manifests)
    security = pod["securityContext"]
    assert f"\nUSER {security['runAsUser']}:{security['runAsGroup']}\n" in dockerfile
    assert f"\nEXPOSE {container['ports'][0]['containerPort']}\n" in dockerfile
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert f"\nWORKDIR {mounts['state']}\n" in dockerfile
    assert f'--config.file={mounts["config"]}/config.yaml"]\n' in dockerfile
    assert container["image"] == f"example/qbusiness-exporter:{__version__}"


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_the_exporter_understands_what_it_is_given(values: dict[str, Any], tmp_path: Path) -> None:
    """Its command line, and a configuration that says what the values say."""
    manifests = render(values)
    config = tmp_path / "config.yaml"
    config.write_text(config_of(manifests))
    parsed = parse_arguments([f"--config.file={config}", *container_of(manifests)["args"]])
    assert parsed.log_format == values.get("log", {}).get("format", "logfmt")
    given = tmp_path / "given.yaml"
    given.write_text(yaml.safe_dump(values.get("config", {})))
    assert load(config) == load(given)


def test_a_changed_configuration_restarts_the_pods() -> None:
    """And nothing else of the values does: credentials and certificates are reread."""

    def checksum(values: dict[str, Any]) -> object:
        return pod_of(render(values))["metadata"]["annotations"]

    changed = {"config": {"polling": {"interval": "2m"}}}
    assert checksum({}) != checksum(changed)
    assert checksum(changed) == checksum({**changed, "webConfig": {"content": WEB}})


def test_roles_come_to_pods_by_either_way() -> None:
    """IRSA by an annotation; Pod Identity by nothing but the account's name, and its agent can be reached."""
    annotated = only(render({"serviceAccount": {"roleArn": ROLE}}), "ServiceAccount")["metadata"]["annotations"]
    assert annotated == {"eks.amazonaws.com/role-arn": ROLE}
    manifests = render({"aws": {"region": "eu-west-1"}})
    assert "annotations" not in only(manifests, "ServiceAccount")["metadata"]
    assert container_of(manifests)["env"] == [{"name": "AWS_REGION", "value": "eu-west-1"}]
    agent = {"ipBlock": {"cidr": "169.254.170.23/32"}}
    assert any(agent in rule.get("to", []) for rule in only(manifests, "NetworkPolicy")["spec"]["egress"])


def test_the_network_is_what_it_needs() -> None:
    """In: whoever scrapes. Out: names, AWS and the agent of Pod Identity."""
    policy = only(render(), "NetworkPolicy")["spec"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert [port["port"] for rule in policy["ingress"] for port in rule["ports"]] == ["metrics"]
    assert [port["port"] for rule in policy["egress"] for port in rule["ports"]] == [53, 53, 5353, 5353, 443, 80]
    narrow = only(render(EVERYTHING), "NetworkPolicy")["spec"]
    assert narrow["ingress"][0]["from"] == EVERYTHING["networkPolicy"]["ingressFrom"]
    assert narrow["egress"][1]["to"] == EVERYTHING["networkPolicy"]["egressTo"]


def test_each_replica_has_state_of_its_own() -> None:
    """And one that AWS denies holds up no other."""
    spec = only(render({"replicas": 2}), "StatefulSet")["spec"]
    (claim,) = spec["volumeClaimTemplates"]
    assert (claim["kind"], claim["metadata"]["name"]) == ("PersistentVolumeClaim", "state")
    assert spec["podManagementPolicy"] == "Parallel"
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert "twice" not in notes()
    assert "AWS receives 2 times as many requests" in notes({"replicas": 2})


def test_an_upgrade_asks_for_no_change_that_kubernetes_refuses() -> None:
    """Whatever values change but those of claims, and with the next version: what is fixed in a StatefulSet stays."""

    def fixed(values: dict[str, Any]) -> dict[str, Any]:
        spec = only(render(values), "StatefulSet")["spec"]
        return {key: spec[key] for key in ("serviceName", "selector", "podManagementPolicy", "volumeClaimTemplates")}

    assert fixed({}) == fixed({key: value for key, value in EVERYTHING.items() if key != "persistence"})
    assert __version__ not in str(fixed({}))


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
def test_tls_and_passwords_reach_whoever_asks(web: dict[str, Any], scheme: str | None) -> None:
    """Prometheus scrapes by the scheme that is served; probes are made inside, for the kubelet knows no password."""
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


def test_rules_are_those_of_the_rule_files() -> None:
    """As they stand; with a team's labels and runbooks, and without the alerts that it does not want."""
    files = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / "deploy/prometheus/rules").glob("*.yaml")}

    def rendered(runbooks: str = "", **values: Any) -> dict[str, Any]:
        found = render({"prometheusRule": {"enabled": True, **values}, "runbookUrl": runbooks})
        return {m["metadata"]["name"]: m["spec"] for m in found if m["kind"] == "PrometheusRule"}

    assert rendered() == {f"{NAME}-{stem}": content for stem, content in files.items()}
    wiki = "https://wiki.example.com/qbusiness/"
    changed = rendered(wiki, ruleLabels={"severity": "page"}, disabledAlerts=["QBusinessSyncFailed"])
    rules = [rule for spec in changed.values() for group in spec["groups"] for rule in group["rules"]]
    alerts = {rule["alert"]: rule["labels"] for rule in rules if "alert" in rule}
    everything = {
        rule["alert"] for file in files.values() for g in file["groups"] for rule in g["rules"] if "alert" in rule
    }
    assert set(alerts) == everything - {"QBusinessSyncFailed"}
    assert {labels["severity"] for labels in alerts.values()} == {"page"}
    runbooks = {rule["alert"]: rule["annotations"]["runbook_url"] for rule in rules if "alert" in rule}
    assert runbooks == {name: f"{wiki}{name}.md" for name in alerts}


def test_dashboards_are_those_of_the_dashboard_files() -> None:
    """Byte for byte, with the label that Grafana's sidecar looks for."""
    files = {path.name: path.read_text().strip() for path in (ROOT / "deploy/grafana/dashboards").glob("*.json")}
    maps = [m for m in render({"dashboards": {"enabled": True}}) if "grafana_dashboard" in m["metadata"]["labels"]]
    assert {name: text.strip() for m in maps for name, text in m["data"].items()} == files
    assert all(m["metadata"]["annotations"] == {"grafana_folder": "Amazon Q Business"} for m in maps)


def test_dashboards_link_to_where_runbooks_and_the_status_page_are() -> None:
    """To no other place; and they are still the JSON of dashboards."""
    maps = [m for m in render(EVERYTHING) if "grafana_dashboard" in m["metadata"]["labels"]]
    texts = [text for m in maps for text in m["data"].values()]
    assert not [text for text in texts if "localhost" in text or "github.com" in text]
    for board in map(json.loads, texts):
        (page,) = [variable for variable in board["templating"]["list"] if variable["name"] == "exporter_url"]
        assert page["query"] == EVERYTHING["dashboards"]["exporterUrl"]
        assert EVERYTHING["runbookUrl"] in [link["url"] for link in board["links"]]
    assert f"{EVERYTHING['runbookUrl']}${{__value.raw}}.md" in "".join(texts)


def test_it_can_be_packaged(tmp_path: Path) -> None:
    """The archive has all that it renders from, and nothing else; it carries the exporter's version."""
    with Chart.load(CHART) as chart:
        assert (chart.version, chart.metadata["appVersion"]) == (__version__, __version__)
        archive = chart.save(tmp_path)
        files = {file["name"] for file in chart.files}
    assert render(EVERYTHING, path=archive) == render(EVERYTHING)
    assert all(name.startswith("files/") or name == ".helmignore" for name in files)


def test_names_follow_the_release() -> None:
    """So that two can live in one namespace."""
    assert only(render(name="qbusiness-exporter"), "Service")["metadata"]["name"] == "qbusiness-exporter"
    assert only(render(name="europe"), "Service")["metadata"]["name"] == "europe-qbusiness-exporter"


def test_the_values_of_the_documentation_give_what_it_says() -> None:
    """They are accepted as they stand, and a cluster takes what comes of them."""
    page = (ROOT / "docs" / "deployment.md").read_text()
    (text,) = re.findall(r"```yaml\n(# my-values\.yaml\n.*?)```", page, re.DOTALL)
    manifests = render(yaml.safe_load(text))
    kinds = {manifest["kind"] for manifest in manifests}
    assert kinds == ALWAYS | {"ServiceMonitor", "PrometheusRule"}
    for manifest in manifests:
        accepted(manifest, VERSIONS[-1])
    assert yaml.safe_load(config_of(manifests))["targets"][0]["name"] == "production"


def test_the_notes_say_what_is_missing() -> None:
    """A role, a scrape, a volume: whatever these values leave to somebody else."""
    assert "port-forward service/qbusiness-exporter 10142:10142" in notes()
    assert "No IAM role is set" in notes()
    assert "No IAM role is set" not in notes({"serviceAccount": {"roleArn": ROLE}})
    assert "No ServiceMonitor is installed" in notes()
    assert "No ServiceMonitor is installed" not in notes(MONITORED)
    assert "emptyDir" in notes({"persistence": {"enabled": False}})
    assert "https://localhost" in notes({"webConfig": {"content": WEB}})
    assert "set image.repository" in notes()
    assert "set aws.region" in notes()
    for values in (
        EVERYTHING,
        {**EVERYTHING, "aws": {}},
        {**EVERYTHING, "aws": {}, "config": {}, "existingConfigMap": "x"},
    ):
        assert "set image.repository" not in notes(values)
        assert "set aws.region" not in notes(values)
