"""Socket activation, with real descriptors in a real process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

from exporter.errors import StartupError
from exporter.web.server.systemd import inherited_sockets
from tests.support.harness import TIMEOUT

if TYPE_CHECKING:
    from pathlib import Path

# What systemd does between fork and exec: the socket becomes descriptor 3, and the variables name the new process.
AS_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.executable, [sys.executable, "-m", "exporter", *sys.argv[2:]])
"""


def test_the_exporter_serves_on_the_socket_of_systemd(tmp_path: Path) -> None:
    """A client that connected before the exporter listens gets its response."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        command = [sys.executable, "-c", AS_SYSTEMD, str(listener.fileno()), "serve", "--web.systemd-socket"]
        environment = {**os.environ, "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_REGION": "us-east-1"}
        with subprocess.Popen(
            command, cwd=tmp_path, env=environment, pass_fds=[listener.fileno()], stderr=subprocess.PIPE
        ) as program:
            try:
                with closing(HTTPConnection(address[0], address[1], timeout=TIMEOUT)) as connection:
                    connection.request("GET", "/-/healthy")
                    assert connection.getresponse().read() == b"Healthy\n"
            finally:
                program.terminate()
                _, log = program.communicate(timeout=TIMEOUT)
    assert f"address=127.0.0.1:{address[1]}" in log.decode()
    assert program.returncode == 0


@pytest.mark.parametrize(
    "environment", [{}, {"LISTEN_FDS": "1"}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_PID": "7"}]
)
def test_without_a_socket_the_flag_is_an_error(environment: dict[str, str]) -> None:
    """The variables may be meant for a parent process, not for this one."""
    with pytest.raises(StartupError, match=r"--web\.systemd-socket: systemd passed no socket"):
        inherited_sockets(environment, 7)
    assert environment == {}
