"""`discover` as a process."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import pytest

from exporter import config
from exporter.simulator.qbusiness import SECRET_MARKER
from tests.support.oneshot import ROLE, environment, run, settings
from tests.support.request_log import logged_requests

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.simulator.server import SimulatedEndpoint

HOSTILE = 'x": {}\n# &a *b !!python/object:os.system\t"yes'


def test_the_exporter_accepts_what_discover_prints(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """The output has every data source with names and comments, and no secrets. Nothing is printed on stderr."""
    service.fleet.applications[0].indexes[0].data_sources[0].name = HOSTILE
    done = run(service, tmp_path, "discover")
    assert (done.returncode, done.stderr) == (0, "")
    found = config.parse(done.stdout, "found")
    assert found.warnings == ()
    (target,) = found.config.targets
    sources = {source.path[-1]: source for source in target.data_sources}
    assert sources.keys() == {source.id for _, _, source in service.fleet.data_sources()}
    assert target.region == "us-east-1"
    names = {source.name for source in target.data_sources}
    assert names >= {"on", "old-wiki"}
    assert "        # S3, FAILED\n" in done.stdout
    assert "      # application intranet, index archive\n" in done.stdout
    assert SECRET_MARKER not in done.stdout
    assert logged_requests(service, "GetDataSource") == []


def test_a_source_of_two_targets_is_printed_once(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """Each target keeps its role, and comments report duplicates and failed listings."""
    targets = ({"name": "a", "role_arn": ROLE}, {"name": "b"})
    service.faults.add("denied", application_id=service.fleet.applications[1].id)
    done = run(service, tmp_path, "discover", text=settings(service, *targets))
    assert done.returncode == 0
    a, b = config.parse(done.stdout, "found").config.targets
    assert (a.name, a.role_arn, len(a.data_sources)) == ("a", ROLE, 14)
    assert (b.name, len(b.data_sources)) == ("b", 0)
    assert "    # 14 more data sources are already listed above\n" in done.stdout
    assert "listing failed: application support" in done.stdout
    assert "AccessDeniedException" in done.stderr


def test_discover_fails_if_nothing_can_be_listed(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """The log contains the error of AWS."""
    service.faults.add("expired_token")
    done = run(service, tmp_path, "discover", text=settings(service, {}))
    assert done.returncode == 1
    assert "ExpiredTokenException" in done.stderr


def test_progress_is_printed_on_a_terminal(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """The terminal shows the number of data sources, and stdout has the configuration only."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, 80))
    command = [sys.executable, "-m", "exporter", "discover"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(service), stdout=subprocess.PIPE, stderr=follower, check=False
    )
    os.close(follower)
    progress = os.read(leader, 100_000)
    os.close(leader)
    assert b"data sources found: 14" in progress
    assert len(config.parse(done.stdout.decode(), "found").config.targets[0].data_sources) == 14


@pytest.mark.parametrize("arguments", [(), ("--config.file", "link.yaml")])
@pytest.mark.parametrize("mode", ["w", "a"])
def test_discover_does_not_write_to_the_file_that_it_reads(
    service: SimulatedEndpoint, tmp_path: Path, arguments: tuple[str, ...], mode: str
) -> None:
    """This holds for any path to the file. No request is sent, and nothing is written."""
    (tmp_path / "config.yaml").write_text(settings(service, {}))
    (tmp_path / "link.yaml").symlink_to("config.yaml")
    command = [sys.executable, "-m", "exporter", "discover", *arguments]
    with (tmp_path / "config.yaml").open(mode) as stdout:  # as the shell does for > and >>
        before = (tmp_path / "config.yaml").read_text()
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment(service),
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "must not write to it; write to another file" in done.stderr
    assert (tmp_path / "config.yaml").read_text() == before
    assert logged_requests(service) == []
