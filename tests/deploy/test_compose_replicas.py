"""The files of the Compose example of replicas agree with each other, with the demo, and with docs/replicas.md.

tests/suites/image compares the file with the schema of Compose.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from deploy.generate import HERE
from exporter.cli.flags import DEFAULT_ADDRESS
from exporter.config import StateConfig, load

COMPOSE = HERE / "compose"
PAGE = (HERE.parent / "docs" / "replicas.md").read_text()
FILE: dict[str, Any] = yaml.safe_load((COMPOSE / "replicas.yaml").read_text())
SERVICES: dict[str, Any] = FILE["services"]
DEMO: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
REPLICAS = [name for name in SERVICES if name.startswith("exporter-")]
(SECRET,) = FILE["secrets"]


@pytest.fixture(scope="module", name="state")
def fixture_state() -> StateConfig:
    """Return the state section of the configuration that all replicas mount."""
    (volume,) = {volume for name in REPLICAS for volume in SERVICES[name]["volumes"]}
    source, target, mode = volume.split(":")
    assert (target, mode) == ("/etc/qbusiness-exporter/config.yaml", "ro")
    return load(COMPOSE / source).config.state


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_as_restricted_as_those_of_the_demo(service: str) -> None:
    """It has an exact version, no capabilities, a read-only root, ports on localhost only, and existing mounts."""
    options, demo = SERVICES[service], DEMO["prometheus"]
    assert re.fullmatch(r"[\w/-]+:v?\d+\.\d+(\.\d+)?", options["image"])
    hardening = ("read_only", "cap_drop", "security_opt")
    assert [options[key] for key in hardening] == [demo[key] for key in hardening]
    assert all(port.startswith("127.0.0.1:") for port in options.get("ports", []))
    sources = [volume.split(":")[0] for volume in options["volumes"]]
    assert all(
        (COMPOSE / source).exists() if source.startswith(".") else source in FILE["volumes"] for source in sources
    )


def test_the_images_are_those_of_the_demo() -> None:
    """A new version of the exporter or of Prometheus changes both files."""
    assert {SERVICES[name]["image"] for name in REPLICAS} == {DEMO["exporter"]["image"]}
    assert SERVICES["prometheus"]["image"] == DEMO["prometheus"]["image"]


def test_replicas_and_database_agree(state: StateConfig) -> None:
    """User, database, host and password file match the PostgreSQL service, in a network that they share."""
    url = urlsplit(state.url or "")
    host = url.hostname or ""
    database = SERVICES[host]
    environment = database["environment"]
    assert (url.username, url.path) == (environment["POSTGRES_USER"], f"/{environment['POSTGRES_DB']}")
    assert state.password_file == environment["POSTGRES_PASSWORD_FILE"] == f"/run/secrets/{SECRET}"
    (network,) = database["networks"]
    assert FILE["networks"][network]["internal"]
    for name in REPLICAS:
        assert network in SERVICES[name]["networks"]
        assert SERVICES[name]["depends_on"] == {host: {"condition": "service_healthy"}}
    assert all(SERVICES[name]["secrets"] == [SECRET] for name in [*REPLICAS, host])
    assert {f"--username={url.username}", f"--dbname={url.path[1:]}"} <= set(database["healthcheck"]["test"])


def test_the_password_is_only_in_the_file_that_the_page_creates(state: StateConfig) -> None:
    """Git ignores the file. Neither the URL nor an environment variable has a password."""
    path = (COMPOSE / FILE["secrets"][SECRET]["file"]).relative_to(HERE.parent)
    assert f"mkdir -m 700 {path.parent}\n" in PAGE
    assert f"install -m 644 /dev/stdin {path}\n" in PAGE
    assert f"/{path.parent}/" in (HERE.parent / ".gitignore").read_text().splitlines()
    assert urlsplit(state.url or "").password is None
    variables = [key for options in SERVICES.values() for key in options.get("environment", [])]
    assert [key for key in variables if "PASSWORD" in key] == ["POSTGRES_PASSWORD_FILE"]


def test_prometheus_scrapes_all_replicas() -> None:
    """It reads the shipped rules too."""
    mounts = dict(reversed(volume.split(":")[:2]) for volume in SERVICES["prometheus"]["volumes"])
    config = yaml.safe_load((COMPOSE / mounts["/etc/prometheus/prometheus.yml"]).read_text())
    (job,) = config["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"{name}{DEFAULT_ADDRESS}" for name in REPLICAS]}]
    (rules,) = config["rule_files"]
    folder = COMPOSE / mounts["/etc/prometheus/rules"]
    assert sorted(folder.parent.glob(rules)) == sorted(folder.glob("*.yaml")) != []


@pytest.mark.parametrize("name", REPLICAS)
def test_a_replica_advertises_the_port_that_it_publishes(name: str) -> None:
    """The links between the status pages work in a browser of the host, and the page names the port."""
    (mapping,) = SERVICES[name]["ports"]
    address, _, inside = mapping.rpartition(":")
    port = address.rpartition(":")[2]
    assert f":{inside}" == DEFAULT_ADDRESS
    assert SERVICES[name]["command"] == ["serve", f"--web.external-url=http://localhost:{port}"]
    assert port in PAGE
