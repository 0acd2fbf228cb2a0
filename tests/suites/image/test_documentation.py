"""What docs/deployment.md tells a reader to run, run."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest
import yaml

from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedQBusiness
from tests.suites.image.conftest import ROOT
from tests.suites.image.containers import CREDENTIALS, HARDENED
from tests.support.harness import config_for, fleet_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.suites.image.test_container import Contain

PAGE = (ROOT / "docs" / "deployment.md").read_text()
COMMANDS = [
    shlex.split(command.replace("\\\n", " "))
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    for command in re.findall(r"^\$ (.*(?:\n    .*)*)", block, re.MULTILINE)
]
UNIT = (ROOT / "deploy" / "systemd" / "qbusiness-exporter.service").read_text()
# Of this machine's podman, which has no network of its own: what the reader's docker has by itself, or is given.
NOT_HERE = ("--detach", "--rm", "--publish", "10142:10142", "--name", "qbusiness-exporter")


def run_commands() -> list[list[str]]:
    """Give what is said to be run with docker, without the program's own name."""
    return [command[2:] for command in COMMANDS if command[:2] == ["docker", "run"]]


@pytest.mark.parametrize("command", run_commands(), ids=lambda command: command[-1])
def test_docker_run_as_it_is_written(command: list[str], contain: Contain, tmp_path: Path, volume: str) -> None:
    """With what it mounts and passes on, and no more, it polls."""
    at = next(n for n, word in enumerate(command) if re.match(r"qbusiness-exporter:\d", word))
    options, arguments = command[:at], command[at + 1 :]
    kept = [word for word in options if word not in NOT_HERE]
    with SimulatedQBusiness(fleet_of(SimulatedDataSource("hr"))) as service:
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config_for(service, "state.db")))
        kept = [word.replace("$PWD", str(tmp_path)).replace("qbusiness-exporter:/", f"{volume}:/") for word in kept]
        with contain(*arguments, options=(*kept, f"--env=AWS_ENDPOINT_URL_STS={service.url}")) as container:
            container.until_ready()
            assert container.scrape().value("qbusiness_poll_success")


def test_what_is_run_in_tests_is_as_tight_as_what_is_written() -> None:
    """Every restriction of the page is one that all containers of this suite have."""
    held = " ".join(HARDENED)
    options = run_commands()[-1]
    assert "--read-only" in options
    assert options[options.index("--cap-drop") + 1] == "ALL"
    assert "--read-only" in held
    assert "--cap-drop=ALL" in held
    assert "--security-opt no-new-privileges" in held
    passed = {options[n + 1] for n, word in enumerate(options) if word == "--env"}
    assert passed - {"AWS_REGION", "AWS_SESSION_TOKEN"} <= set(CREDENTIALS)


def test_files_are_installed_where_the_unit_looks() -> None:
    """The environment, the configuration, the program and the unit itself."""
    text = "\n".join(" ".join(command) for command in COMMANDS)
    program, config = re.findall(r"^ExecStart=(\S+) serve --config\.file=(\S+)$", UNIT, re.MULTILINE)[0]
    (environment,) = re.findall(r"^EnvironmentFile=-(\S+)$", UNIT, re.MULTILINE)
    venv = program.removesuffix("/bin/qbusiness-exporter")
    assert f"venv {venv}\n" in text
    assert f"{venv}/bin/pip install" in text
    assert f" config.yaml {config}\n" in text
    assert f" environment {environment}" in text
    assert (ROOT / next(word for word in text.split() if word.endswith(".service"))).is_file()


def test_commands_that_name_files_name_ones_that_are_there() -> None:
    """Charts, compose files, manifests."""
    named = {word for command in COMMANDS for word in command if word.startswith("deploy/")}
    assert len(named) >= 4
    assert all((ROOT / name).exists() for name in named)
