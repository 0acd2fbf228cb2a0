"""Signals while the program starts, before it listens."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
import yaml

from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import TIMEOUT, Program, config_for, fleet_of, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WITH_IMPORTS_LOGGED = [sys.executable, "-X", "importtime", "-m", "exporter"]
EARLY, LATE = "structlog", "exporter.web.server.systemd"  # modules that are imported first and last


@pytest.fixture
def service() -> Iterator[SimulatedEndpoint]:
    """Serve one data source."""
    with SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"))) as service:
        yield service


@pytest.mark.parametrize("module", [EARLY, LATE])
def test_an_early_sighup_reloads_when_the_program_listens(
    service: SimulatedEndpoint, tmp_path: Path, module: str
) -> None:
    """The signal arrives while the program imports its modules. It does not end the process, and is not lost."""
    program: Program = serve(tmp_path, config_for(service, tmp_path / "state.db"))
    program.command = WITH_IMPORTS_LOGGED

    def send_early() -> None:
        program.until_logged("import time:", module)
        program.process.send_signal(signal.SIGHUP)

    sender = threading.Thread(target=send_early)
    sender.start()
    with program:
        sender.join(TIMEOUT)
        program.until_logged("configuration applied")
        assert program.stop() == 0
    assert not [
        line for line in program.log[: program.log.index(program.log_lines("listening")[0])] if "applied" in line
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    ("command", "module", "succeeds"),
    [("serve", EARLY, True), ("serve", LATE, True), ("demo", LATE, True), ("export", EARLY, False)],
)
def test_an_early_stop_is_a_success_of_a_service(
    tmp_path: Path,
    command: str,
    module: str,
    succeeds: bool,  # noqa: FBT001 (a parameter of the test)
    number: int,
) -> None:
    """The signal arrives while the program imports its modules. It fails a command that ends by itself."""
    (tmp_path / "config.yaml").write_text("targets: [{region: us-east-1}]\n")
    line = [*WITH_IMPORTS_LOGGED, command]
    with subprocess.Popen(line, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        assert any(module in text for text in process.stderr)
        process.send_signal(number)
        _, log = process.communicate(timeout=TIMEOUT)
    assert process.returncode == (0 if succeeds else 128 + number)
    assert "Traceback" not in log


def test_sighup_ends_a_command_that_does_not_reload(
    service: SimulatedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command ends with its terminal, as other programs do, even if the signal arrives early."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    service.faults.add("hang")  # the command does not end by itself
    config = config_for(service, tmp_path / "state.db", timeout="60s")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    with subprocess.Popen([*WITH_IMPORTS_LOGGED, "export"], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        assert any(EARLY in line for line in process.stderr)
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=TIMEOUT)
    assert process.returncode == -signal.SIGHUP
