"""The memory that clients cost before they are authenticated, as the kernel reports it for a real process."""

from __future__ import annotations

import re
import resource
import socket
from contextlib import ExitStack, suppress
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support.certificates import Certificates, client_context, client_hello
from tests.support.harness import TIMEOUT, Program, eventually
from tests.support.slow_clients import HALF_A_REQUEST, REQUEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLIENTS = 1500
MAX_GROWTH = 60 << 10  # KiB while the clients are connected
MAX_KEPT = 25 << 10  # KiB after they have left; most of it is the cost of the first handshakes
CHART = Path(__file__).parents[3] / "deploy/helm/qbusiness-exporter/values.yaml"


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """Run the demo with TLS, and scrape it once."""
    Certificates(tmp_path)
    files = {"tls_server_config": {"cert_file": "server.crt", "key_file": "server.key"}}
    (tmp_path / "web.yml").write_text(yaml.safe_dump(files))
    flags = ["--web.config.file", str(tmp_path / "web.yml")]
    with Program(["demo", *flags], tls=client_context(tmp_path)) as program:
        program.until_ready()
        program.scrape()
        yield program


@pytest.fixture(autouse=True)
def descriptors() -> None:
    """Allow this process as many open files as it needs for its clients."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CLIENTS + 500
    assert hard == resource.RLIM_INFINITY or hard >= wanted, (
        f"set the hard limit of open files to {wanted} (ulimit -Hn)"
    )
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def memory(program: Program, field: str = "VmRSS") -> int:
    """Return the resident memory of a process in KiB, or its highest value (VmHWM)."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{program.process.pid}/status").read_text())
    assert found
    return int(found[1])


def chart_limit() -> int:
    """Return the memory limit of the Helm chart in KiB."""
    limit = yaml.safe_load(CHART.read_text())["resources"]["limits"]["memory"]
    return int(limit.removesuffix("Mi")) << 10


def connect(program: Program) -> socket.socket:
    """Open a connection that sends nothing."""
    client = socket.socket()
    client.settimeout(TIMEOUT)
    client.connect(program.address)
    return client


def with_handshake(program: Program, sent: bytes) -> socket.socket:
    """Open a connection, complete the handshake and send some bytes, unless the server drops the connection before."""
    client = connect(program)
    assert program.tls
    with suppress(OSError):
        client = program.tls.wrap_socket(client, server_hostname="localhost")
        client.sendall(sent)
        if sent.endswith(b"\r\n\r\n"):
            client.recv(1)
    return client


def assert_little_memory(
    program: Program, clients: int, open_client: Callable[[], socket.socket], max_kept: int = MAX_KEPT
) -> None:
    """Open clients; assert that they use little memory, that no scrape fails, and that the memory is returned."""
    before = memory(program)
    with ExitStack() as opened:
        for _ in range(clients):
            opened.enter_context(open_client())
        program.scrape()  # the server accepts in order, so it has accepted all clients after this
    assert memory(program, "VmHWM") - before < MAX_GROWTH
    assert memory(program, "VmHWM") < chart_limit()
    eventually(lambda: memory(program) - before < max_kept)
    program.scrape()


def test_clients_that_do_not_complete_their_first_message_cost_little_memory(program: Program) -> None:
    """This holds for 1,500 TLS connections: a third sends nothing, a third one byte, and a third half a ClientHello."""
    assert program.tls
    hello = client_hello(program.tls)
    parts = cycle([b"", hello[:1], hello[: len(hello) // 2]])

    def open_client() -> socket.socket:
        client = connect(program)
        client.sendall(next(parts))
        return client

    assert_little_memory(program, CLIENTS, open_client)


@pytest.mark.trial
def test_clients_that_do_not_complete_the_handshake_cost_little_memory(program: Program) -> None:
    """This holds for 1,500 TLS connections that send their ClientHello, valid or not, and then nothing."""
    assert program.tls
    valid = client_hello(program.tls)
    hellos = cycle([valid, valid[:-20] + b"x" * 20])

    def open_client() -> socket.socket:
        client = connect(program)
        client.sendall(next(hellos))
        return client

    assert_little_memory(program, CLIENTS, open_client)


@pytest.mark.trial
@pytest.mark.parametrize("sent", [b"", HALF_A_REQUEST])
def test_clients_after_the_handshake_cost_little_memory(program: Program, sent: bytes) -> None:
    """This holds for TLS connections without a request, and for those with half of one."""
    assert_little_memory(program, 500, lambda: with_handshake(program, sent))


@pytest.mark.trial
def test_clients_that_read_no_response_cost_little_memory(program: Program) -> None:
    """This holds for TLS connections that stay open after a request.

    The C library keeps the memory for the responses of the first clients, and uses it for later ones.
    """
    before = memory(program)
    assert_little_memory(program, 500, lambda: with_handshake(program, REQUEST), MAX_GROWTH)
    assert_little_memory(program, 500, lambda: with_handshake(program, REQUEST))
    assert memory(program, "VmHWM") - before < MAX_GROWTH


@pytest.mark.trial
@pytest.mark.parametrize("sent", [b"", b"G", HALF_A_REQUEST])
def test_clients_without_tls_cost_little_memory(sent: bytes) -> None:
    """Silent clients, single bytes and half requests are limited without TLS too."""
    with Program(["demo"]) as program:
        program.until_ready()
        program.scrape()

        def open_client() -> socket.socket:
            client = connect(program)
            client.sendall(sent)
            return client

        assert_little_memory(program, CLIENTS, open_client)
