"""The systemd unit, run by a real systemd in a container: sandboxed, reloaded, killed and stopped."""

from __future__ import annotations

import re
import subprocess
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedEndpoint
from tests.suites.image.conftest import ROOT, bootstrap
from tests.suites.image.containers import CREDENTIALS, PODMAN
from tests.support.certificates import Certificates, client_context
from tests.support.harness import Program, config_for, eventually, fleet_of, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNITS = ROOT / "deploy" / "systemd"
SYSTEMD = "localhost/qbusiness-exporter-systemd"
ETC = "/etc/qbusiness-exporter"
UNIT = "qbusiness-exporter.service"
MAX_EXPOSURE = 1.5  # systemd-analyze calls values up to 2 OK; a unit without a sandbox has 9.6


@dataclass
class SystemdHost:
    """A container with systemd as its init system."""

    name: str

    def run(self, *command: str) -> str:
        """Run a command, which must succeed; return its output."""
        result = subprocess.run([*PODMAN, "exec", self.name, *command], capture_output=True, text=True, check=False)
        assert result.returncode == 0, (
            result.stdout + result.stderr + (self.log() if command[0] != "journalctl" else "")
        )
        return result.stdout

    def copy(self, source: Path, target: str) -> None:
        """Copy a file or folder into the container."""
        subprocess.run([*PODMAN, "cp", str(source), f"{self.name}:{target}"], check=True)

    def log(self) -> str:
        """Return the log of the unit."""
        return self.run("journalctl", "--no-pager", "--unit", UNIT)

    def unit_property(self, name: str) -> str:
        """Return a property of the unit."""
        return self.run("systemctl", "show", "--value", "--property", name, UNIT).strip()


@pytest.fixture(scope="module")
def host(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemdHost]:
    """Yield a host with the exporter, copied from the image, which has the same Python."""
    if subprocess.run(["podman", "image", "exists", SYSTEMD], check=False).returncode:
        bootstrap(SYSTEMD, "systemd", "systemd-sysv", "procps")
    host = SystemdHost(f"systemd-{uuid.uuid4()}")
    options = [
        "--network=host",
        "--privileged",
        "--systemd=always",
        "--ulimit=nofile=1024:1024",
        "--ulimit=nproc=4096:4096",
    ]
    subprocess.run([*PODMAN, "run", "--detach", "--name", host.name, *options, SYSTEMD, "/sbin/init"], check=True)
    try:
        eventually(
            lambda: (
                "running"
                in subprocess.run(
                    [*PODMAN, "exec", host.name, "systemctl", "is-system-running"],
                    capture_output=True,
                    text=True,
                    check=False,
                ).stdout
            )
        )
        # As on a real host, so that the unit sees the credentials that systemd mounts for it.
        host.run("mount", "--make-rshared", "/")
        folder, source = tmp_path_factory.mktemp("program"), f"source-of-{host.name}"
        subprocess.run([*PODMAN, "create", "--name", source, image], check=True)
        subprocess.run([*PODMAN, "cp", f"{source}:/opt/qbusiness-exporter", str(folder)], check=True)
        subprocess.run([*PODMAN, "rm", "--volumes", source], check=True)
        host.copy(folder / "qbusiness-exporter", "/opt")
        host.run("mkdir", "-p", ETC)
        host.copy(UNITS / UNIT, f"/etc/systemd/system/{UNIT}")
        yield host
    finally:
        subprocess.run([*PODMAN, "rm", "--force", "--volumes", "--time=0", host.name], check=True)


@pytest.fixture
def service() -> Iterator[SimulatedEndpoint]:
    """Yield a service with a data source."""
    with SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"))) as service:
        yield service


@pytest.fixture
def program(host: SystemdHost, service: SimulatedEndpoint, tmp_path: Path) -> Iterator[Program]:
    """Yield a client of the configured unit, not started yet; stop the unit at the end."""
    program = Program([], listen=f"127.0.0.1:{free_port()}")
    address, _, port = program.listen.rpartition(":")
    program.address = (address, int(port))
    configure(host, tmp_path, config_for(service, "state.db"), {"AWS_ENDPOINT_URL_STS": service.url, **CREDENTIALS})
    listen_at(host, tmp_path, program.listen)
    yield program
    host.run("systemctl", "stop", UNIT)
    host.run("rm", "-rf", f"/etc/systemd/system/{UNIT}.d")


def configure(host: SystemdHost, folder: Path, config: dict[str, Any], environment: dict[str, str]) -> None:
    """Copy the configuration and the environment to the paths of the unit."""
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "environment").write_text("".join(f"{name}={value}\n" for name, value in environment.items()))
    for name in ("config.yaml", "environment"):
        host.copy(folder / name, f"{ETC}/{name}")
    host.run("chmod", "644", f"{ETC}/config.yaml")
    host.run("chmod", "600", f"{ETC}/environment")


def listen_at(host: SystemdHost, folder: Path, address: str, unit: Path = UNITS / UNIT) -> None:
    """Install a drop-in that makes the unit listen at a free address."""
    command = re.findall("^ExecStart=(.+)$", unit.read_text(), re.MULTILINE)[-1]
    drop_in = folder / "listen.conf"
    drop_in.write_text(f"[Service]\nExecStart=\nExecStart={command} --web.listen-address={address}\n")
    host.run("mkdir", "-p", f"/etc/systemd/system/{UNIT}.d")
    host.copy(drop_in, f"/etc/systemd/system/{UNIT}.d/zz-listen.conf")
    host.run("systemctl", "daemon-reload")


def test_systemd_analyze_finds_nothing(host: SystemdHost) -> None:
    """The unit is valid, and its exposure is low."""
    assert host.run("systemd-analyze", "verify", UNIT) == ""
    analysis = host.run("systemd-analyze", "security", "--no-pager", UNIT)
    exposure = float(re.findall(r"exposure level for \S+: ([\d.]+)", analysis)[0])
    assert exposure <= MAX_EXPOSURE


def test_the_exporter_runs_under_systemd(host: SystemdHost, program: Program) -> None:
    """In its sandbox it polls, keeps its state private, reloads, restarts after a kill, and stops within 5 seconds."""
    host.run("systemctl", "start", UNIT)
    eventually(lambda: is_ready(program))
    scrape = program.scrape()
    assert scrape.value("qbusiness_poll_success", data_source="hr") == 1
    assert scrape.value("process_resident_memory_bytes")
    assert scrape.value("process_start_time_seconds")
    assert host.run("ls", "/var/lib/private/qbusiness-exporter").split()[0] == "state.db"
    assert host.run("stat", "--format=%a %U", "/var/lib/private/qbusiness-exporter/state.db").split()[0] == "600"
    assert host.run("ps", "-o", "user=", "-p", host.unit_property("MainPID")).strip() not in {"root", "0"}
    host.run("systemctl", "reload", UNIT)
    eventually(lambda: "configuration applied" in host.log())
    first = host.unit_property("MainPID")
    host.run("systemctl", "kill", "--signal=KILL", UNIT)
    eventually(lambda: host.unit_property("MainPID") not in {"0", first})
    eventually(lambda: is_ready(program))
    began = time.monotonic()
    host.run("systemctl", "stop", UNIT)
    assert time.monotonic() - began < 5
    assert host.unit_property("Result") == "success"


def test_systemd_passes_certificates_that_only_root_can_read(
    host: SystemdHost, program: Program, tmp_path: Path
) -> None:
    """The drop-in for a web config loads them as credentials."""
    Certificates(tmp_path)
    tls = {"cert_file": "tls.crt", "key_file": "tls.key"}
    (tmp_path / "web.yaml").write_text(yaml.safe_dump({"tls_server_config": tls}))
    for source, target in (("web.yaml", "web.yaml"), ("server.crt", "tls.crt"), ("server.key", "tls.key")):
        host.copy(tmp_path / source, f"{ETC}/{target}")
        host.run("chmod", "600", f"{ETC}/{target}")
    drop_in = UNITS / "web-config.conf"
    host.copy(drop_in, f"/etc/systemd/system/{UNIT}.d/web-config.conf")
    listen_at(host, tmp_path, program.listen, drop_in)
    program.tls = client_context(tmp_path)
    host.run("systemctl", "start", UNIT)
    eventually(lambda: is_ready(program))
    assert program.get("/-/healthy")[0] == 200


def is_ready(program: Program) -> bool:
    """Return whether the first pass has ended."""
    try:
        return program.get("/-/ready")[0] == 200
    except OSError:
        return False
