"""How large the soak is, and a program that soaks in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from tests.suites.soak.resource_usage import HEAD, MEGABYTE, Vitals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOOKS_AN_HOUR = 2
MEMORY = Path("/dev/shm")  # noqa: S108 (a directory of ours is made in it)
ROOT = Path(__file__).parents[3]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what makes the soak larger."""
    parser.addoption("--sources", type=int, default=40, help="data sources that the program watches")
    parser.addoption("--hours", type=float, default=14.0, help="hours of virtual time; ten at least")


@pytest.fixture
def soak(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., list[Vitals]]]:
    """Let a program run for hours of virtual time, and give what it took; fails where its totals are not the truth."""
    # A commit waits for the disk, a million times: here for none.
    with tempfile.TemporaryDirectory(prefix="soak-", dir=MEMORY if MEMORY.is_dir() else None) as folder:

        def run(sources: int, hours: float, *more: str) -> list[Vitals]:
            looks = round(hours * LOOKS_AN_HOUR)
            command = [sys.executable, "-m", "tests.suites.soak", folder, f"--sources={sources}", f"--hours={hours}"]
            with (Path(folder) / "log").open("w+") as log, capsys.disabled():
                course, code = _watch([*command, f"--looks={looks}", *more], log)
                log.seek(0)
                said = log.readlines()
            assert code == 0, "".join(said[-40:])
            return course

        yield run


def _watch(command: list[str], log: IO[str]) -> tuple[list[Vitals], int]:
    """Run it, show what it says as it comes, and give that and its exit code."""
    course = []
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    own = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
    env = {**clean, **own, "PYTHONPATH": f"tests{os.pathsep}.", "PYTHONHASHSEED": "0"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT, env=env) as process:
        assert process.stdout
        before = json.loads(process.stdout.readline() or '{"resident_before": 0}')["resident_before"]
        print(f"\nof what is resident {before / MEGABYTE:.1f} MB are the simulation's\n{HEAD}")
        for line in process.stdout:
            course.append(Vitals(**json.loads(line)))
            print(course[-1], flush=True)
    return course, process.returncode
