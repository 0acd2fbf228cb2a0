"""The options of the soak, and a fixture that runs one in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from tests.suites.soak.resource_usage import HEADER, MEGABYTE, ResourceUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SAMPLES_PER_HOUR = 2
MEMORY_FILE_SYSTEM = Path("/dev/shm")  # noqa: S108 (the fixture makes its own directory in it)
ROOT = Path(__file__).parents[3]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options for a larger soak."""
    parser.addoption("--sources", type=int, default=40, help="number of watched data sources")
    parser.addoption("--hours", type=float, default=14.0, help="hours of virtual time, at least ten")


@pytest.fixture
def soak(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., list[ResourceUsage]]]:
    """Yield a function that runs a soak and returns its samples; it fails if the totals are wrong."""
    # On a disk, a million commits would each wait for a sync.
    directory = MEMORY_FILE_SYSTEM if MEMORY_FILE_SYSTEM.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="soak-", dir=directory) as folder:

        def run(sources: int, hours: float, *options: str) -> list[ResourceUsage]:
            number = round(hours * SAMPLES_PER_HOUR)
            command = [sys.executable, "-m", "tests.suites.soak", folder, f"--sources={sources}", f"--hours={hours}"]
            with (Path(folder) / "log").open("w+") as log, capsys.disabled():
                samples, code = _run_and_print([*command, f"--samples={number}", *options], log)
                log.seek(0)
                logged = log.readlines()
            assert code == 0, "".join(logged[-40:])
            return samples

        yield run


def _run_and_print(command: list[str], log: IO[str]) -> tuple[list[ResourceUsage], int]:
    """Run a soak and print each sample when it arrives; return the samples and the exit code."""
    samples = []
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    own = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
    env = {**clean, **own, "PYTHONPATH": f"tests{os.pathsep}.", "PYTHONHASHSEED": "0"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT, env=env) as process:
        assert process.stdout
        before = json.loads(process.stdout.readline() or '{"resident_before": 0}')["resident_before"]
        print(f"\nresident memory includes {before / MEGABYTE:.1f} MB of the simulation\n{HEADER}")
        for line in process.stdout:
            samples.append(ResourceUsage(**json.loads(line)))
            print(samples[-1], flush=True)
    return samples, process.returncode
