"""Measure how web servers answer a scrape while other clients stall.

Every server runs in a process of its own with the usual 1,024 file descriptors (a soft limit), and serves the same
2,000 series. Those that are not installed are left out and named.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import importlib
import importlib.util
import resource
import select
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest, make_asgi_app, make_wsgi_app, start_http_server

from exporter.status import AssessmentSettings, ExporterHealth, StatusDocument
from exporter.web.application import AppServices, create_app
from exporter.web.server.server import WebServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HOST = "127.0.0.1"
SERIES = 2000
SCRAPES = 20
PATIENCE = 5  # seconds
DESCRIPTORS = 1024
HALF_A_REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Half"


@dataclass(frozen=True)
class Situation:
    """What else is going on while the metrics are asked for."""

    name: str
    tls: bool = False
    stalled: int = 0
    said: bytes = b""


SITUATIONS = [
    Situation("plain"),
    Situation("plain, 1,000 half requests", stalled=1000, said=HALF_A_REQUEST),
    Situation("plain, 2,000 half requests", stalled=2000, said=HALF_A_REQUEST),
    Situation("TLS", tls=True),
    Situation("TLS, 1 silent client", tls=True, stalled=1),
    Situation("TLS, 1,000 silent clients", tls=True, stalled=1000),
]


@dataclass(frozen=True)
class RegistryExposition:
    """Render a prometheus_client registry."""

    registry: CollectorRegistry

    def render(self, accept: str, accept_encoding: str) -> tuple[Sequence[bytes], dict[str, str]]:  # noqa: ARG002 - a protocol's
        """Render as text."""
        return (generate_latest(self.registry),), {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}


class Nothing:
    """Where nothing is published."""

    def snapshots(self) -> list[Any]:
        """Give nothing."""
        return []


TRIAL = ExporterHealth("trial", "", 0, 0, None, (), ":memory:", True, "", True, 0)  # noqa: FBT003 (a record)


def make_registry() -> CollectorRegistry:
    """Fill a registry as a middling installation would."""
    registry = CollectorRegistry()
    gauge = Gauge("trial", "A series.", ["data_source"], registry=registry)
    for number in range(SERIES):
        gauge.labels(f"data-source-{number}").set(number)
    return registry


def serve_ours(port: int, certificate: Path | None) -> None:
    """Serve with WebServer."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    status = StatusDocument(Nothing(), Nothing(), lambda: TRIAL, AssessmentSettings(1, (), 1))
    services = AppServices(RegistryExposition(make_registry()), status, lambda: None, lambda: None)
    WebServer(create_app(services), [f"{HOST}:{port}"], ssl_context=context).start()


def serve_uvicorn(port: int, certificate: Path | None) -> None:
    """Serve with uvicorn as it comes."""
    uvicorn = importlib.import_module("uvicorn")
    app = make_asgi_app(make_registry())
    uvicorn.run(app, host=HOST, port=port, ssl_certfile=certificate, lifespan="off", log_level="critical")


def serve_prometheus_client(port: int, certificate: Path | None) -> None:
    """Serve with what prometheus_client brings along."""
    file = str(certificate) if certificate else None
    start_http_server(port, HOST, make_registry(), certfile=file, keyfile=file)


def serve_hypercorn(port: int, certificate: Path | None) -> None:
    """Serve with hypercorn."""
    config = importlib.import_module("hypercorn.config").Config()
    config.bind = [f"{HOST}:{port}"]
    config.certfile = config.keyfile = str(certificate) if certificate else None
    serve = importlib.import_module("hypercorn.asyncio").serve
    asyncio.run(serve(make_asgi_app(make_registry()), config, mode="asgi"))


def serve_waitress(port: int, _certificate: Path | None) -> None:
    """Serve with waitress, which has no TLS."""
    importlib.import_module("waitress").serve(make_wsgi_app(make_registry()), host=HOST, port=port, threads=8)


def serve_cheroot(port: int, certificate: Path | None) -> None:
    """Serve with cheroot."""
    server = importlib.import_module("cheroot.wsgi").Server((HOST, port), make_wsgi_app(make_registry()), numthreads=8)
    if certificate:
        adapter = importlib.import_module("cheroot.ssl.builtin").BuiltinSSLAdapter
        server.ssl_adapter = adapter(str(certificate), str(certificate))
    server.start()


SERVERS: dict[str, tuple[str, Callable[[int, Path | None], None]]] = {
    "WebServer (guarded uvicorn)": ("uvicorn", serve_ours),
    "uvicorn as it comes": ("uvicorn", serve_uvicorn),
    "prometheus_client": ("prometheus_client", serve_prometheus_client),
    "hypercorn": ("hypercorn", serve_hypercorn),
    "waitress, 8 threads": ("waitress", serve_waitress),
    "cheroot, 8 threads": ("cheroot", serve_cheroot),
}
WITHOUT_TLS = {"waitress, 8 threads"}


def make_certificate(directory: Path) -> Path:
    """Make a self-signed certificate, and its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise SystemExit("this trial needs the openssl command")
    file, part = directory / "both.pem", directory / "certificate.pem"
    options = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 1 -subj /CN=localhost"
    command = [openssl, "req", *options.split(), "-keyout", str(file), "-out", str(part)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - the arguments are those above
    file.write_text(file.read_text() + part.read_text())
    return file


def free_port() -> int:
    """Find a port that nobody uses at the moment."""
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(server: str, port: int, certificate: Path | None) -> Iterator[bool]:
    """Run a server in a process of its own; give whether it came up."""
    options = ["--certificate", str(certificate)] if certificate else []
    command = [sys.executable, __file__, "--serve", server, "--port", str(port), *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - this file
    try:
        yield is_up(process, port)
    finally:
        process.kill()
        process.wait()


def is_up(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the server accepts connections, or ends."""
    deadline = time.monotonic() + 2 * PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection((HOST, port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


def scrape(port: int, context: ssl.SSLContext | None) -> float:
    """Ask for the metrics on a new connection; give the seconds it took."""
    began = time.monotonic()
    made = http.client.HTTPSConnection(HOST, port, timeout=PATIENCE, context=context) if context else None
    with closing(made or http.client.HTTPConnection(HOST, port, timeout=PATIENCE)) as connection:
        connection.request("GET", "/metrics")
        if len(connection.getresponse().read()) < SERIES:
            raise ConnectionError("half an answer")
    return time.monotonic() - began


def stall(port: int, situation: Situation, clients: ExitStack) -> None:
    """Let the stalled clients connect, all at once, and say their part once they are through."""
    poll = select.poll()
    waiting = {}
    for _ in range(situation.stalled):
        client = clients.enter_context(socket.socket())
        client.setblocking(False)  # noqa: FBT003 - the standard library's
        client.connect_ex((HOST, port))
        poll.register(client, select.POLLOUT)
        waiting[client.fileno()] = client
    deadline = time.monotonic() + PATIENCE
    while waiting and time.monotonic() < deadline:
        for number, _ in poll.poll(100):
            poll.unregister(number)
            with suppress(OSError):  # a server may refuse it
                waiting.pop(number).send(situation.said)


def measure(server: str, situation: Situation, certificate: Path) -> str:
    """Give the median and the worst latency in words."""
    if situation.tls and server in WITHOUT_TLS:
        return "no TLS"
    context = ssl._create_unverified_context() if situation.tls else None  # noqa: S323, SLF001 - self-signed, loopback
    port = free_port()
    with running(server, port, certificate if situation.tls else None) as up, ExitStack() as clients:
        if not up:
            return "does not start"
        stall(port, situation, clients)
        try:
            latencies = [scrape(port, context) for _ in range(SCRAPES)]
        except TimeoutError:
            return f"no answer in {PATIENCE} s"
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
    return f"{statistics.median(latencies) * 1000:.0f} / {max(latencies) * 1000:.0f} ms"


def run_trial() -> None:
    """Print a table of every server in every situation."""
    installed = {name: module for name, (module, _) in SERVERS.items() if importlib.util.find_spec(module)}
    print("| server |", " | ".join(situation.name for situation in SITUATIONS), "|")
    print("|---" * (1 + len(SITUATIONS)) + "|")
    with tempfile.TemporaryDirectory() as directory:
        certificate = make_certificate(Path(directory))
        for name in installed:
            print("|", name, "|", " | ".join(measure(name, each, certificate) for each in SITUATIONS), "|", flush=True)
    missing = SERVERS.keys() - installed.keys()
    print("\nNot installed:", ", ".join(sorted(missing)) or "none is missing")


def main() -> None:
    """Run the trial, or one server for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--certificate", type=Path, help=argparse.SUPPRESS)
    arguments: Any = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if arguments.serve is None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        run_trial()
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    SERVERS[arguments.serve][1](arguments.port, arguments.certificate)
    threading.Event().wait()  # for those that serve from a thread of their own


if __name__ == "__main__":
    main()
