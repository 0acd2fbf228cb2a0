"""Everything together: the compose file is right, and its command lines run, with real programs outside containers.

Grafana cannot be had here: what it is provisioned with is held against the other services alone.
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
    """Give what of the repository is mounted where in a service's container."""
    volumes = (volume.split(":") for volume in SERVICES[service]["volumes"])
    return {volume[1]: (COMPOSE / volume[0]).resolve() for volume in volumes if volume[0].startswith(".")}


def outside(service: str, folder: Path, addresses: dict[str, str]) -> list[str]:
    """Lay out a container's files in a folder, with addresses for names of services; give its command line there."""
    root = folder / service
    for place, source in mounts(service).items():
        target = root / place.lstrip("/")
        for file in [source] if source.is_file() else source.rglob("*"):
            laid = target if source.is_file() else target / file.relative_to(source)
            laid.parent.mkdir(parents=True, exist_ok=True)
            text = file.read_text()
            for name, address in addresses.items():
                text = text.replace(f'"{name}:{PORTS[name]}"', f'"{address}"')
            laid.write_text(text)
    return [re.sub(r"=(/\w)", rf"={root}\1", argument) for argument in SERVICES[service]["command"]]


@contextmanager
def running(program: str, arguments: list[str], address: str, folder: Path) -> Iterator[Prometheus]:
    """Run a program of the Prometheus family at an address of its own."""
    with (folder / "log").open("w") as log:
        command = [program, *arguments, f"--web.listen-address={address}"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield Prometheus(f"http://{address}")
        finally:
            process.terminate()
            process.wait(20)


def test_the_file_is_a_compose_file() -> None:
    """By the schema of the compose specification."""
    check = ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE / "compose.yaml")]
    checked = subprocess.run(check, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_pinned_held_tight_and_local(service: str) -> None:
    """A version and no `latest`, no privilege, no port for the network, and no file that is not there."""
    wanted = SERVICES[service]
    assert re.fullmatch(r"[\w/-]+:v?\d+\.\d+\.\d+", wanted["image"])
    assert (wanted["read_only"], wanted["cap_drop"]) == (True, ["ALL"])
    assert wanted["ports"] == [f"127.0.0.1:{PORTS[service]}:{PORTS[service]}"]
    if "volumes" in wanted:
        assert all(path.exists() for path in mounts(service).values())


def test_the_services_find_each_other(tmp_path: Path) -> None:
    """The demo is scraped, all rules are evaluated, and the Alertmanager is known: by the command lines as they are."""
    addresses = {name: f"127.0.0.1:{free_port()}" for name in ("prometheus", "alertmanager")}
    with Program(SERVICES["exporter"]["command"]) as exporter:
        addresses["exporter"] = "{}:{}".format(*exporter.address)
        exporter.until_ready()
        told = outside("alertmanager", tmp_path, addresses)
        scrapes = outside("prometheus", tmp_path, addresses)
        with (
            running(ALERTMANAGER, told, addresses["alertmanager"], tmp_path / "alertmanager"),
            running("prometheus", scrapes, addresses["prometheus"], tmp_path / "prometheus") as server,
        ):
            eventually(lambda: is_up(server))
            eventually(lambda: server.value('up{job="qbusiness"} == 1'))
            eventually(lambda: server.value("count(data_source:qbusiness_as_of_timestamp_seconds:freshest)") == 12)
            groups = server.get("rules")["groups"]
            files = list((ROOT / "deploy" / "prometheus" / "rules").glob("*.yaml"))
            assert {group["file"].rpartition("/")[2] for group in groups} == {file.name for file in files}
            eventually(lambda: health(server) == {"ok: None"})
            active = server.get("alertmanagers")["activeAlertmanagers"]
            assert [found["url"] for found in active] == [f"http://{addresses['alertmanager']}/api/v2/alerts"]


def health(server: Prometheus) -> set[str]:
    """Give how the rules fare, but for those whose turn comes only every few minutes."""
    groups = (group for group in server.get("rules")["groups"] if group["interval"] < TIMEOUT)
    return {f"{rule['health']}: {rule.get('lastError')}" for group in groups for rule in group["rules"]}


def is_up(server: Prometheus) -> bool:
    """Tell whether a Prometheus answers."""
    try:
        return server.value("vector(1)") == 1
    except OSError:
        return False


def test_grafana_is_provisioned_with_what_is_there() -> None:
    """The data source is the Prometheus beside it; dashboards lie where the provider and the home page look."""
    grafana = SERVICES["grafana"]
    places = mounts("grafana")
    provisioning = places["/etc/grafana/provisioning"]
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert source["url"] == f"http://prometheus:{PORTS['prometheus']}"
    assert (source["type"], source["access"], source["isDefault"]) == ("prometheus", "proxy", True)
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "qbusiness.yaml").read_text())["providers"]
    assert provider["type"] == "file"
    dashboards = places[provider["options"]["path"]]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (dashboards / home.removeprefix(f"{provider['options']['path']}/")).is_file()
    for file in dashboards.glob("*.json"):
        variables = {one["name"]: one for one in json.loads(file.read_text())["templating"]["list"]}
        assert variables["datasource"]["query"] == source["type"]
        assert variables["exporter_url"]["query"] == f"http://localhost:{PORTS['exporter']}"


def test_the_exporter_is_built_from_here() -> None:
    """Nobody publishes its image: compose builds the one of this repository, at this version."""
    exporter = SERVICES["exporter"]
    assert (COMPOSE / exporter["build"]).resolve() == ROOT
    assert exporter["image"] == re.sub(r".*tag (\S+) .*", r"\1", _make_image(), flags=re.DOTALL)


def _make_image() -> str:
    make = [shutil.which("make") or "make", "--dry-run", "--no-print-directory", "image"]
    return subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout
