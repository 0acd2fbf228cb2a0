"""Containers without a daemon, with the same restrictions as in a cluster."""

from __future__ import annotations

import signal
import subprocess
import uuid
from dataclasses import dataclass, field

from tests.support.harness import TIMEOUT, Program, free_port

BASE = "docker.io/library/python:3.11-slim-bookworm"
IMAGE = "localhost/qbusiness-exporter:under-test"
WHEELS = "/mnt"  # exists in every image; the build would leave a new directory in the image
REVISION = "8d0f6d3b1c2a4e5f60718293a4b5c6d7e8f90123"
STATE = "/var/lib/qbusiness-exporter"
CONFIG = "/etc/qbusiness-exporter/config.yaml"

PODMAN = ("podman", "--runtime", "runc", "--cgroup-manager", "cgroupfs")
# Only the volumes are writable: podman would add a writable /tmp. A sandbox may forbid higher limits.
HARDENED = (
    *("--network", "host", "--no-healthcheck", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"),
    *("--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL", "--security-opt", "no-new-privileges"),
)
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}


def run_once(image: str, *arguments: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a container until it exits; return its result."""
    credentials = [f"--env={name}={value}" for name, value in CREDENTIALS.items()]
    command = [*PODMAN, "run", "--rm", *HARDENED, *credentials, *options, image, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@dataclass
class ContainerProgram(Program):
    """An exporter in a container, which listens on the host's loopback interface."""

    image: str = ""
    options: tuple[str, ...] = ()
    name: str = field(default_factory=lambda: f"qbusiness-exporter-{uuid.uuid4()}")

    def __post_init__(self) -> None:
        """Set the command of the container and a free port."""
        credentials = (f"--env={name}={value}" for name, value in CREDENTIALS.items())
        named = ("run", "--rm", "--name", self.name)
        self.command = [*PODMAN, *named, *HARDENED, *credentials, *self.options, self.image]
        self.listen = f"127.0.0.1:{free_port()}"

    def exec(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the container."""
        return subprocess.run([*PODMAN, "exec", self.name, *command], capture_output=True, text=True, check=False)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to process 1 of the container."""
        subprocess.run([*PODMAN, "kill", "--signal", number.name, self.name], capture_output=True, check=True)

    def stop(self, number: int = signal.SIGTERM, timeout: float = TIMEOUT) -> int:
        """Send a signal to process 1 and return its exit code."""
        self.send(signal.Signals(number))
        return self.wait(timeout)

    def kill(self) -> None:
        """Kill and remove the container."""
        subprocess.run(
            [*PODMAN, "rm", "--force", "--volumes", "--time", "0", self.name], capture_output=True, check=False
        )
        self.wait()
        super().kill()
