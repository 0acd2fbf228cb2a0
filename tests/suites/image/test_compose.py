"""The compose files are valid, and the command lines of the demo work with real programs outside containers.

Grafana is not available here, so the tests only compare its provisioning with the other services.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.suites.image.conftest import ROOT
from tests.support.alertmanager_server import PROGRAM as ALERTMANAGER
from tests.support.harness import TIMEOUT, Program, eventually, free_port
from tests.support.prometheus_server import Prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMPOSE = ROOT / "deploy" / "compose"
SERVICES: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
PORTS = {"exporter": 10142, "prometheus": 9090, "alertmanager": 9093, "grafana": 3000}


def mounts(service: str) -> dict[str, Path]:
    """Return the files and directories of the repository that a service mounts, by their path in the container."""
    volumes = (volume.split(":") for volume in SERVICES[service]["volumes"])
    return {volume[1]: (COMPOSE / volume[0]).resolve() for volume in volumes if volume[0].startswith(".")}


def copy_files(service: str, folder: Path, addresses: dict[str, str]) -> list[str]:
    """Copy the mounts of a service into a folder; return its command line with the new paths.

    The copies contain addresses instead of the names of services.
    """
    root = folder / service
    for path, source in mounts(service).items():
        target = root / path.lstrip("/")
        for file in [source] if source.is_file() else source.rglob("*"):
            copy = target if source.is_file() else target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            text = file.read_text()
            for name, address in addresses.items():
                text = text.replace(f'"{name}:{PORTS[name]}"', f'"{address}"')
            copy.write_text(text)
    return [re.sub(r"=(/\w)", rf"={root}\1", argument) for argument in SERVICES[service]["command"]]


@contextmanager
def running(program: str, arguments: list[str], address: str, folder: Path) -> Iterator[Prometheus]:
    """Run Prometheus or Alertmanager at an address."""
    with (folder / "log").open("w") as log:
        command = [program, *arguments, f"--web.listen-address={address}"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield Prometheus(f"http://{address}")
        finally:
            process.terminate()
            process.wait(TIMEOUT)


@pytest.mark.parametrize("name", ["compose.yaml", "replicas.yaml"])
def test_a_compose_file_is_valid(name: str) -> None:
    """It matches the schema of the compose specification."""
    check = ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE / name)]
    result = subprocess.run(check, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_pinned_and_restricted(service: str) -> None:
    """It has an exact version, no capabilities, a read-only root, ports on localhost only, and existing mounts."""
    options = SERVICES[service]
    assert re.fullmatch(r"[\w/-]+:v?\d+\.\d+\.\d+", options["image"])
    assert (options["read_only"], options["cap_drop"]) == (True, ["ALL"])
    assert options["ports"] == [f"127.0.0.1:{PORTS[service]}:{PORTS[service]}"]
    if "volumes" in options:
        assert all(path.exists() for path in mounts(service).values())


def test_the_services_work_together(tmp_path: Path) -> None:
    """Prometheus scrapes the demo, evaluates all rules without errors, and sends alerts to the Alertmanager."""
    addresses = {name: f"127.0.0.1:{free_port()}" for name in ("prometheus", "alertmanager")}
    with Program(SERVICES["exporter"]["command"]) as exporter:
        addresses["exporter"] = "{}:{}".format(*exporter.address)
        exporter.until_ready()
        alertmanager_arguments = copy_files("alertmanager", tmp_path, addresses)
        prometheus_arguments = copy_files("prometheus", tmp_path, addresses)
        with (
            running(ALERTMANAGER, alertmanager_arguments, addresses["alertmanager"], tmp_path / "alertmanager"),
            running("prometheus", prometheus_arguments, addresses["prometheus"], tmp_path / "prometheus") as server,
        ):
            eventually(lambda: is_up(server))
            eventually(lambda: server.value('up{job="qbusiness"} == 1'))
            eventually(lambda: server.value("count(data_source:qbusiness_as_of_timestamp_seconds:freshest)") == 9)
            groups = server.get("rules")["groups"]
            files = list((ROOT / "deploy" / "prometheus" / "rules").glob("*.yaml"))
            assert {group["file"].rpartition("/")[2] for group in groups} == {file.name for file in files}
            eventually(lambda: rule_health(server) == {"ok: None"})
            expected = [f"http://{addresses['alertmanager']}/api/v2/alerts"]
            eventually(lambda: alertmanagers(server) == expected)


def alertmanagers(server: Prometheus) -> list[str]:
    """Return the URLs of the Alertmanagers that a Prometheus has found."""
    return [each["url"] for each in server.get("alertmanagers")["activeAlertmanagers"]]


def rule_health(server: Prometheus) -> set[str]:
    """Return the health and errors of the rules, except for groups with an interval of minutes."""
    groups = (group for group in server.get("rules")["groups"] if group["interval"] < TIMEOUT)
    return {f"{rule['health']}: {rule.get('lastError')}" for group in groups for rule in group["rules"]}


def is_up(server: Prometheus) -> bool:
    """Return whether a Prometheus responds to queries."""
    try:
        return server.value("vector(1)") == 1
    except OSError:
        return False


def test_the_provisioning_of_grafana_matches_the_services() -> None:
    """The data source is the Prometheus service, and the dashboards are in the provider's folder."""
    grafana = SERVICES["grafana"]
    paths = mounts("grafana")
    provisioning = paths["/etc/grafana/provisioning"]
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert source["url"] == f"http://prometheus:{PORTS['prometheus']}"
    assert (source["type"], source["access"], source["isDefault"]) == ("prometheus", "proxy", True)
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "qbusiness.yaml").read_text())["providers"]
    assert provider["type"] == "file"
    dashboards = paths[provider["options"]["path"]]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (dashboards / home.removeprefix(f"{provider['options']['path']}/")).is_file()
    for file in dashboards.glob("*.json"):
        variables = {each["name"]: each for each in json.loads(file.read_text())["templating"]["list"]}
        assert variables["datasource"]["query"] == source["type"]
        assert variables["exporter_url"]["query"] == f"http://localhost:{PORTS['exporter']}"


def test_compose_builds_the_image_of_this_version() -> None:
    """No registry has the image, so compose builds it from this repository with the tag of `make image`."""
    exporter = SERVICES["exporter"]
    assert (COMPOSE / exporter["build"]).resolve() == ROOT
    assert exporter["image"] == re.sub(r".*tag (\S+) .*", r"\1", _make_image(), flags=re.DOTALL)


def _make_image() -> str:
    make = [shutil.which("make") or "make", "--dry-run", "--no-print-directory", "image"]
    return subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout
