"""The commands of docs/deployment.md, executed or compared with the files that they name."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest
import yaml

from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedEndpoint
from tests.suites.image.conftest import ROOT
from tests.suites.image.containers import CREDENTIALS, HARDENED
from tests.support.harness import config_for, fleet_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.suites.image.test_container import RunContainer

PAGE = (ROOT / "docs" / "deployment.md").read_text()
COMMANDS = [
    shlex.split(command.replace("\\\n", " "))
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    for command in re.findall(r"^\$ (.*(?:\n    .*)*)", block, re.MULTILINE)
]
UNIT = (ROOT / "deploy" / "systemd" / "qbusiness-exporter.service").read_text()
# Options that the containers of this suite replace or cannot have, because they use the network of the host.
REPLACED_OPTIONS = ("--detach", "--rm", "--publish", "10142:10142", "--name", "qbusiness-exporter")


def docker_run_commands() -> list[list[str]]:
    """Return the arguments of each `docker run` command."""
    return [command[2:] for command in COMMANDS if command[:2] == ["docker", "run"]]


@pytest.mark.parametrize("command", docker_run_commands(), ids=lambda command: command[-1])
def test_the_docker_run_commands_work(
    command: list[str], run_container: RunContainer, tmp_path: Path, volume: str
) -> None:
    """The exporter polls with only the mounts and variables of the command."""
    at = next(n for n, word in enumerate(command) if re.match(r"qbusiness-exporter:\d", word))
    options, arguments = command[:at], command[at + 1 :]
    kept = [word for word in options if word not in REPLACED_OPTIONS]
    with SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"))) as service:
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config_for(service, "state.db")))
        kept = [word.replace("$PWD", str(tmp_path)).replace("qbusiness-exporter:/", f"{volume}:/") for word in kept]
        with run_container(*arguments, options=(*kept, f"--env=AWS_ENDPOINT_URL_STS={service.url}")) as container:
            container.until_ready()
            assert container.scrape().value("qbusiness_poll_success")


def test_the_containers_of_this_suite_have_the_documented_restrictions() -> None:
    """Each restriction of the page applies to all containers of this suite."""
    hardening = " ".join(HARDENED)
    options = docker_run_commands()[-1]
    assert "--read-only" in options
    assert options[options.index("--cap-drop") + 1] == "ALL"
    assert "--read-only" in hardening
    assert "--cap-drop=ALL" in hardening
    assert "--security-opt no-new-privileges" in hardening
    passed = {options[n + 1] for n, word in enumerate(options) if word == "--env"}
    assert passed - {"AWS_REGION", "AWS_SESSION_TOKEN"} <= set(CREDENTIALS)


def test_the_commands_install_files_where_the_unit_expects_them() -> None:
    """This covers the environment, the configuration, the program and the unit."""
    text = "\n".join(" ".join(command) for command in COMMANDS)
    program, config = re.findall(r"^ExecStart=(\S+) serve --config\.file=(\S+)$", UNIT, re.MULTILINE)[0]
    (environment,) = re.findall(r"^EnvironmentFile=-(\S+)$", UNIT, re.MULTILINE)
    venv = program.removesuffix("/bin/qbusiness-exporter")
    assert f"venv {venv}\n" in text
    assert f"{venv}/bin/pip install" in text
    assert f" deploy/container/config.yaml {config} " in text
    assert f" environment {environment}" in text
    assert (ROOT / next(word for word in text.split() if word.endswith(".service"))).is_file()


def test_the_commands_name_existing_files() -> None:
    """This covers the chart, the compose file and the manifests."""
    named = {word for command in COMMANDS for word in command if word.startswith("deploy/")}
    assert len(named) >= 4
    assert all((ROOT / name).exists() for name in named)
