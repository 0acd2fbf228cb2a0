"""The unit, under a real systemd, which runs in a container: sandboxed, reloaded, killed, stopped."""

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
from exporter.simulator.server import SimulatedQBusiness
from tests.suites.image.conftest import ROOT, bootstrap
from tests.suites.image.containers import CREDENTIALS, PODMAN
from tests.support.certificates import Certificates, trusting
from tests.support.harness import Program, config_for, eventually, fleet_of, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNITS = ROOT / "deploy" / "systemd"
SYSTEMD = "localhost/qbusiness-exporter-systemd"
ETC = "/etc/qbusiness-exporter"
UNIT = "qbusiness-exporter.service"
MOST_EXPOSURE = 1.5  # systemd-analyze calls up to 2 OK; what has no sandbox at all has 9.6


@dataclass
class Host:
    """A machine that systemd runs."""

    name: str

    def run(self, *command: str) -> str:
        """Run a command, which must succeed; give what it says."""
        done = subprocess.run([*PODMAN, "exec", self.name, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr + (self.log() if command[0] != "journalctl" else "")
        return done.stdout

    def put(self, source: Path, target: str) -> None:
        """Copy a file or folder to it."""
        subprocess.run([*PODMAN, "cp", str(source), f"{self.name}:{target}"], check=True)

    def log(self) -> str:
        """Give what the unit logged."""
        return self.run("journalctl", "--no-pager", "--unit", UNIT)

    def shows(self, what: str) -> str:
        """Give a property of the unit."""
        return self.run("systemctl", "show", "--value", "--property", what, UNIT).strip()


@pytest.fixture(scope="module")
def host(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Start a machine with the exporter where the unit wants it: taken from the image, which has the same Python."""
    if subprocess.run(["podman", "image", "exists", SYSTEMD], check=False).returncode:
        bootstrap(SYSTEMD, "systemd", "systemd-sysv", "procps")
    host = Host(f"systemd-{uuid.uuid4()}")
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
        # As on a real machine, where credentials are mounted for one unit and seen by it.
        host.run("mount", "--make-rshared", "/")
        folder, made = tmp_path_factory.mktemp("program"), f"from-{host.name}"
        subprocess.run([*PODMAN, "create", "--name", made, image], check=True)
        subprocess.run([*PODMAN, "cp", f"{made}:/opt/qbusiness-exporter", str(folder)], check=True)
        subprocess.run([*PODMAN, "rm", "--volumes", made], check=True)
        host.put(folder / "qbusiness-exporter", "/opt")
        host.run("mkdir", "-p", ETC)
        host.put(UNITS / UNIT, f"/etc/systemd/system/{UNIT}")
        yield host
    finally:
        subprocess.run([*PODMAN, "rm", "--force", "--volumes", "--time=0", host.name], check=True)


@pytest.fixture
def service() -> Iterator[SimulatedQBusiness]:
    """Give something to poll."""
    with SimulatedQBusiness(fleet_of(SimulatedDataSource("hr"))) as service:
        yield service


@pytest.fixture
def program(host: Host, service: SimulatedQBusiness, tmp_path: Path) -> Iterator[Program]:
    """Give the unit with a configuration, as somebody who scrapes sees it; it is stopped in the end."""
    program = Program([], listen=f"127.0.0.1:{free_port()}")
    address, _, port = program.listen.rpartition(":")
    program.address = (address, int(port))
    configure(host, tmp_path, config_for(service, "state.db"), {"AWS_ENDPOINT_URL_STS": service.url, **CREDENTIALS})
    listen_at(host, tmp_path, program.listen)
    yield program
    host.run("systemctl", "stop", UNIT)
    host.run("rm", "-rf", f"/etc/systemd/system/{UNIT}.d")


def configure(host: Host, folder: Path, config: dict[str, Any], environment: dict[str, str]) -> None:
    """Put files where the unit reads them."""
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "environment").write_text("".join(f"{name}={value}\n" for name, value in environment.items()))
    for name in ("config.yaml", "environment"):
        host.put(folder / name, f"{ETC}/{name}")
    host.run("chmod", "644", f"{ETC}/config.yaml")
    host.run("chmod", "600", f"{ETC}/environment")


def listen_at(host: Host, folder: Path, address: str, unit: Path = UNITS / UNIT) -> None:
    """Have a unit listen where nobody else does, by a drop-in."""
    command = re.findall("^ExecStart=(.+)$", unit.read_text(), re.MULTILINE)[-1]
    drop_in = folder / "listen.conf"
    drop_in.write_text(f"[Service]\nExecStart=\nExecStart={command} --web.listen-address={address}\n")
    host.run("mkdir", "-p", f"/etc/systemd/system/{UNIT}.d")
    host.put(drop_in, f"/etc/systemd/system/{UNIT}.d/zz-listen.conf")
    host.run("systemctl", "daemon-reload")


def test_systemd_finds_nothing_to_complain_of(host: Host) -> None:
    """Neither in the unit, nor in how much it leaves open."""
    assert host.run("systemd-analyze", "verify", UNIT) == ""
    said = host.run("systemd-analyze", "security", "--no-pager", UNIT)
    exposure = float(re.findall(r"exposure level for \S+: ([\d.]+)", said)[0])
    assert exposure <= MOST_EXPOSURE


def test_it_lives_under_systemd(host: Host, program: Program) -> None:
    """In its sandbox it polls, keeps its state to itself, reloads, comes back when killed, and stops at once."""
    host.run("systemctl", "start", UNIT)
    eventually(lambda: is_ready(program))
    assert program.scrape().value("qbusiness_poll_success", data_source="hr") == 1
    assert host.run("ls", "/var/lib/private/qbusiness-exporter").split()[0] == "state.db"
    assert host.run("stat", "--format=%a %U", "/var/lib/private/qbusiness-exporter/state.db").split()[0] == "600"
    assert host.run("ps", "-o", "user=", "-p", host.shows("MainPID")).strip() not in {"root", "0"}
    host.run("systemctl", "reload", UNIT)
    eventually(lambda: "configuration applied" in host.log())
    first = host.shows("MainPID")
    host.run("systemctl", "kill", "--signal=KILL", UNIT)
    eventually(lambda: host.shows("MainPID") not in {"0", first})
    eventually(lambda: is_ready(program))
    began = time.monotonic()
    host.run("systemctl", "stop", UNIT)
    assert time.monotonic() - began < 5
    assert host.shows("Result") == "success"


def test_systemd_hands_over_certificates_that_only_root_reads(host: Host, program: Program, tmp_path: Path) -> None:
    """By the drop-in for a web config."""
    Certificates(tmp_path)
    tls = {"cert_file": "tls.crt", "key_file": "tls.key"}
    (tmp_path / "web.yaml").write_text(yaml.safe_dump({"tls_server_config": tls}))
    for source, target in (("web.yaml", "web.yaml"), ("server.crt", "tls.crt"), ("server.key", "tls.key")):
        host.put(tmp_path / source, f"{ETC}/{target}")
        host.run("chmod", "600", f"{ETC}/{target}")
    drop_in = UNITS / "web-config.conf"
    host.put(drop_in, f"/etc/systemd/system/{UNIT}.d/web-config.conf")
    listen_at(host, tmp_path, program.listen, drop_in)
    program.tls = trusting(tmp_path)
    host.run("systemctl", "start", UNIT)
    eventually(lambda: is_ready(program))
    assert program.get("/-/healthy")[0] == 200


def is_ready(program: Program) -> bool:
    """Tell whether its first pass has ended."""
    try:
        return program.get("/-/ready")[0] == 200
    except OSError:
        return False
