"""`check` reports what would keep `serve` from starting on this host."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.cli import main
from tests.support.harness import free_port
from tests.support.program_process import run_command

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run the command in a folder with a valid configuration, and without settings of AWS."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("targets: [{region: us-east-1}]\n")
    return tmp_path


def problems(capsys: pytest.CaptureFixture[str], *flags: str) -> list[str]:
    """Return the problems that `check` prints, and assert that its exit code fits."""
    code = main(["check", *flags])
    found = capsys.readouterr().err.splitlines()
    assert code == bool(found)
    return found


def test_a_host_without_problems_passes(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """The check creates no file."""
    assert problems(capsys) == []
    assert [path.name for path in folder.iterdir()] == ["config.yaml"]


def test_the_state_file_must_have_a_directory(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """The message has the absolute path."""
    (folder / "config.yaml").write_text("targets: [{region: us-east-1}]\nstate: {path: var/state.db}\n")
    expected = f"state.path: the directory {folder}/var does not exist: create it, or set another state.path"
    assert problems(capsys) == [expected]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_the_state_file_must_be_a_regular_file(
    capsys: pytest.CaptureFixture[str], folder: Path, make: Callable[[Path], object]
) -> None:
    """SQLite can use no other."""
    (folder / "config.yaml").write_text("targets: [{region: us-east-1}]\nstate: {path: other}\n")
    make(folder / "other")
    expected = f"state.path: {folder}/other is not a regular file: set the path of a file, which may not exist yet"
    assert problems(capsys) == [expected]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--web.listen-address=10142"], "--web.listen-address '10142' has no port"),
        (["--web.listen-address=203.0.113.7:0"], "cannot listen on 203.0.113.7:0: no interface of this host"),
        (["--web.telemetry-path=/-/ready"], "--web.telemetry-path '/-/ready' is reserved"),
        (["--web.external-url=ops.example.com"], "--web.external-url 'ops.example.com' must be the URL"),
        (["--web.route-prefix=/a b"], "--web.route-prefix '/a b' must be the path of a URL"),
    ],
)
def test_flags_of_serve_are_checked(capsys: pytest.CaptureFixture[str], flags: list[str], message: str) -> None:
    """Each has the message with which `serve` would end."""
    (problem,) = problems(capsys, *flags)
    assert problem.startswith(message)


def test_an_address_in_use_is_no_problem(capsys: pytest.CaptureFixture[str]) -> None:
    """Most often, the exporter whose configuration is checked uses it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert problems(capsys, f"--web.listen-address=127.0.0.1:{listener.getsockname()[1]}") == []


@pytest.mark.parametrize("first", ["127.0.0.1", ""])
def test_addresses_that_conflict_are_a_problem(capsys: pytest.CaptureFixture[str], first: str) -> None:
    """The second one would be in use by the program itself."""
    port = free_port()
    flags = [f"--web.listen-address={host}:{port}" for host in (first, "127.0.0.1")]
    (problem,) = problems(capsys, *flags)
    assert problem.startswith(f"cannot listen on 127.0.0.1:{port}: address already in use")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "the target has no region: set `region` in the configuration, or AWS_REGION"),
        (
            {"AWS_REGION": "us-east1"},
            "the target: 'us-east1' in the environment is not a region: write",
        ),
        ({"AWS_REGION": "us-east-1", "AWS_PROFILE": "prod"}, "the target: "),
    ],
)
def test_region_and_profile_of_the_environment_are_checked(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    variables: dict[str, str],
    message: str,
) -> None:
    """They are used if the configuration has none."""
    (folder / "config.yaml").write_text("state: {path: ':memory:'}\n")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (problem,) = problems(capsys)
    assert problem.startswith(message)
    assert problems(capsys, "--syntax-only") == []


def test_a_file_of_the_sdk_that_cannot_be_parsed_is_reported(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """`serve` reads it at the start too, if a target names a profile."""
    (folder / "config.yaml").write_text("targets: [{name: a, region: us-east-1, profile: p}]\n")
    (folder / "none").write_text("[profile p]\nregion\n")
    (problem,) = problems(capsys)
    assert problem.startswith(f"target a: {folder}/none:2: cannot be parsed: write each section, such as [default], ")


def test_settings_of_the_sdk_are_checked(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise, each poll would fail."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    expected = "AWS_ENDPOINT_URL: 'nonsense' is not a URL with a valid host: write https://host or http://host:port"
    assert problems(capsys) == [f"the target: {expected}"]


@pytest.mark.parametrize("command", ["serve", "export", "discover", "backfill", "plan", "policy", "documents"])
def test_every_command_that_uses_aws_refuses_them(command: str, folder: Path) -> None:
    """It ends with exit code 1 and an error that names the variable."""
    flags = ["--data-source=none"] if command == "documents" else []
    environment = {**os.environ, "AWS_ENDPOINT_URL_STS": "nonsense"}
    done = run_command(command, *flags, folder=folder, environment=environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert "AWS_ENDPOINT_URL_STS: 'nonsense' is not a URL" in done.stderr


def test_two_targets_with_the_same_name_are_reported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """The file alone does not show it, because the first target has the region of the SDK."""
    (folder / "config.yaml").write_text("targets: [{profile: }, {region: us-east-1}]\nstate: {path: ':memory:'}\n")
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert problems(capsys) == []
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    expected = "targets 1 and 2 are both named us-east-1: set different names"
    assert problems(capsys) == [expected]
    assert main(["serve"]) == 1
    assert f'error="{expected}"' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("{url: postgresql://db/x, password_file: none}", "state.password_file none cannot be read (No such file or "),
        ("{url: 'postgresql://u:hunter%2@db/x'}", "state.url is not a URL that libpq understands: invalid percent-"),
        ("{url: 'postgresql://db/x?hunter=1'}", "state.url is not a URL that libpq understands: invalid URI query"),
    ],
)
def test_the_settings_of_a_database_are_checked(
    capsys: pytest.CaptureFixture[str], folder: Path, state: str, message: str
) -> None:
    """`serve` would end with the same message. It has no part of a password."""
    (folder / "config.yaml").write_text(f"targets: [{{region: us-east-1}}]\nstate: {state}\n")
    (problem,) = problems(capsys)
    assert problem.startswith(message)
    assert "hunter" not in problem
    assert main(["serve"]) == 1
    assert f'error="{message}' in capsys.readouterr().err
