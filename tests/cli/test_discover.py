"""`discover` as a process."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import pytest

from exporter import config
from exporter.domain.service import Use
from tests.support.oneshot import ROLE, environment, named, run, settings
from tests.support.provider_rig import CASES
from tests.support.request_log import logged_requests

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.simulator.server import SimulatedEndpoint
    from tests.support.service_case import ServiceCase

HOSTILE = 'x": {}\n# &a *b !!python/object:os.system\t"yes'


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_exporter_accepts_what_discover_prints(
    case: ServiceCase, service: SimulatedEndpoint, tmp_path: Path
) -> None:
    """The output has every data source with names and comments, and no secrets. Nothing is printed on stderr."""
    service.fleet.applications[0].indexes[0].data_sources[0].name = HOSTILE
    done = run(service, tmp_path, "discover", text=f"targets: [{{service: {case}}}]")
    assert (done.returncode, done.stderr) == (0, "")
    found = config.parse(done.stdout, "found")
    assert found.warnings == ()
    (target,) = found.config.targets
    sources = {source.path[-1] for source in target.data_sources}
    assert sources == {case.wire_id(source.id) for _, _, source in service.fleet.data_sources()}
    assert (target.service, target.region) == (case.service, "us-east-1")
    assert {source.name for source in target.data_sources} >= {"on", "old-wiki"}
    assert f"        # {case.source_types[1]}, FAILED\n" in done.stdout
    assert "unknown" not in done.stdout
    containers = zip(reversed(case.service.containers), ("archive", "intranet"), strict=False)
    place = ", ".join(reversed([f"{level.text} {name}" for level, name in containers]))
    assert f"      # {place}\n" in done.stdout
    assert case.secret not in done.stdout


def test_discover_sends_no_request_about_a_single_data_source(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """The listings of Amazon Q Business have everything that is printed."""
    assert run(service, tmp_path, "discover").returncode == 0
    assert logged_requests(service, "GetDataSource") == []


@pytest.mark.trial  # runs the program several times
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_type_that_no_listing_has_is_requested_until_a_request_is_refused(
    case: ServiceCase, service: SimulatedEndpoint, tmp_path: Path
) -> None:
    """A comment has the error, and the data sources are printed nevertheless."""
    action, text = case.service.action(Use.SOURCE), f"targets: [{{service: {case}}}]"
    run(service, tmp_path, "discover", text=text)
    requests = len(logged_requests(service, action))
    assert requests in {0, 14}
    service.faults.add("denied", operation=action)
    done = run(service, tmp_path, "discover", text=text)
    assert done.returncode == 0
    assert done.stdout.count("        # type unknown, ") == requests
    assert len(logged_requests(service, action)) - requests == (2 if requests else 0)  # one for each container
    remarks = re.findall(
        rf"^    # listing failed: types of the data sources of .*{action}: ", done.stdout, re.MULTILINE
    )
    assert len(remarks) == (2 if requests else 0)


def test_a_source_of_two_targets_is_printed_once(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """Each target keeps its role, and comments report duplicates and failed listings."""
    targets = ({"name": "a", "role_arn": ROLE}, {"name": "b"})
    service.faults.add("denied", application_id=service.fleet.applications[1].id)
    done = run(service, tmp_path, "discover", text=settings(service, *targets))
    assert done.returncode == 0
    a, b = config.parse(done.stdout, "found").config.targets
    assert (a.name, a.role_arn, len(a.data_sources)) == ("a", ROLE, 14)
    assert (b.name, len(b.data_sources)) == ("b", 0)
    assert "    # 14 more data sources are listed under another target\n" in done.stdout
    assert "listing failed: application support" in done.stdout
    assert "AccessDeniedException" in done.stderr


def test_a_data_source_stays_under_the_target_that_names_it(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """It keeps its name and its labels, although an earlier target finds it too."""
    targets = ({"name": "a"}, {"name": "b", **named(service, "on", name="switch")})
    targets[1]["data_sources"][0]["labels"] = {"team": "hr"}
    done = run(service, tmp_path, "discover", text=settings(service, *targets))
    a, b = config.parse(done.stdout, "found").config.targets
    (source,) = b.data_sources
    assert (source.name, source.root, source.labels) == ("switch", "intranet", {"team": "hr"})
    assert len(a.data_sources) == 13


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
