"""The exporter as a process, and its metrics as a scraper sees them."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import yaml
from prometheus_client.parser import text_string_to_metric_families

from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex
from tests.support.program_process import ProgramProcess

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from exporter.simulator.server import SimulatedEndpoint

NEW_INTERPRETER = (sys.executable, "-m", "exporter")
TIMEOUT = 60.0  # seconds; waits end as soon as their condition holds, so only a failing test takes this long
POLL_INTERVAL = 0.02  # seconds between two checks of a condition


def fleet_of(*sources: SimulatedDataSource) -> Fleet:
    """Return a fleet with data sources in one index of one application."""
    return Fleet([SimulatedApplication("intranet", [SimulatedIndex("main", list(sources))])])


def config_for(service: SimulatedEndpoint, state: Path | str, **polling: object) -> dict[str, Any]:
    """Return a configuration that names every data source of a simulated service and polls at short intervals."""
    fast = {"interval": "100ms", "idle_interval": "100ms", "requests_per_second": 500, "timeout": "2s"}
    sources = [
        {"application_id": application.id, "index_id": index.id, "data_source_id": source.id}
        for application, index, source in service.fleet.data_sources()
    ]
    target = {"name": "test", "region": "us-east-1", "endpoint_url": service.url, "data_sources": sources}
    return {"targets": [target], "polling": {**fast, **polling}, "state": {"path": str(state)}}


def free_port() -> int:
    """Return a free port, for programs that cannot choose one themselves, or that start again with the same port.

    It is below the ports of outgoing connections on Linux, so that none of them uses it before the program listens.
    """
    while True:
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", random.randint(10_000, 32_000)))
            port: int = listener.getsockname()[1]
            return port


def eventually(condition: Callable[[], object], timeout: float = TIMEOUT) -> None:
    """Wait until a condition holds; fail with its last value after the timeout, in seconds."""
    deadline = time.monotonic() + timeout
    while not (last := condition()):
        assert time.monotonic() < deadline, f"condition not met within {timeout:g} s; last value: {last!r}"
        time.sleep(POLL_INTERVAL)


@dataclass(frozen=True)
class Scrape:
    """The samples of one scrape: values by name and labels."""

    samples: dict[tuple[str, frozenset[tuple[str, str]]], float]

    @classmethod
    def parse(cls, body: str) -> Self:
        """Return the samples of an exposition in the text format."""
        return cls(dict(_sample(line) for line in body.split("\n") if line and not line.startswith("#")))

    def value(self, name: str, **labels: str) -> float | None:
        """Return the sum of the samples with a name and, among others, these labels; None if there are none."""
        wanted = set(labels.items())
        found = [value for (sample, present), value in self.samples.items() if sample == name and wanted <= present]
        return sum(found) if found else None


@lru_cache(maxsize=10_000)
def _sample(line: str) -> tuple[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return the name, the labels and the value of a sample. Between two scrapes, most samples do not change."""
    ((sample,),) = (family.samples for family in text_string_to_metric_families(line))
    return (sample.name, frozenset(sample.labels.items())), sample.value


@dataclass
class Program:
    """An exporter process; a context manager that starts it and kills it at the end."""

    arguments: list[str]
    env: dict[str, str] = field(default_factory=dict)
    command: Sequence[str] = ()  # starts the program, instead of a fork of one that is imported
    listen: str = "127.0.0.1:0"
    log: list[str] = field(default_factory=list)
    output: list[str] = field(default_factory=list)
    address: tuple[str, int] = ("", 0)
    tls: ssl.SSLContext | None = None
    credentials: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None
    start_timeout: float = TIMEOUT  # seconds until it must listen
    stderr: int = subprocess.PIPE  # another descriptor leaves `log` empty, and needs a `listen` with a port

    def __enter__(self) -> Self:
        """Start the process and wait until it listens."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill the process."""
        self.kill()

    def start(self) -> None:
        """Start the process and wait until it listens."""
        self.process = self._start_process()
        self._readers = [
            threading.Thread(target=self._drain, args=(pipe, lines), daemon=True)
            for pipe, lines in ((self.process.stderr, self.log), (self.process.stdout, self.output))
            if pipe
        ]
        for reader in self._readers:
            reader.start()
        try:
            eventually(lambda: self._find_address() or self.process.poll() is not None, self.start_timeout)
            assert self.process.poll() is None, "\n".join(self.log)
        except BaseException:
            self.kill()  # if __enter__ raises, __exit__ is not called
            raise

    def _start_process(self) -> ProgramProcess | subprocess.Popen[str]:
        own = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        words, env = [*self.arguments, "--web.listen-address", self.listen], {**clean, **own, **self.env}
        if not self.command:
            return ProgramProcess(words, self.folder, env, self.stderr)
        return subprocess.Popen(
            [*self.command, *words],
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            text=True,
            cwd=self.folder,
            env=env,
        )

    def stop(self, number: int = signal.SIGTERM, timeout: float = TIMEOUT) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.wait(timeout)

    def wait(self, timeout: float = TIMEOUT) -> int:
        """Wait for the end of the process and return its exit code."""
        code = self.process.wait(timeout)
        for reader in self._readers:
            reader.join(5)
        return code

    def kill(self) -> None:
        """Kill the process and close its pipes."""
        self.process.kill()
        self.wait()
        for pipe in filter(None, (self.process.stdout, self.process.stderr)):
            pipe.close()

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Send a GET request; return status and body."""
        return self.request("GET", path, **headers)

    def request(self, method: str, path: str, **headers: str) -> tuple[int, str]:
        """Send a request; return status and body."""
        tls = self.tls and http.client.HTTPSConnection(*self.address, timeout=TIMEOUT, context=self.tls)
        connection = tls or http.client.HTTPConnection(*self.address, timeout=TIMEOUT)
        try:
            connection.request(method, path, headers={**self.credentials, **headers})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def scrape(self) -> Scrape:
        """Scrape the metrics in the text format."""
        status, body = self.get("/metrics")
        assert status == 200, body
        return Scrape.parse(body)

    def log_lines(self, *texts: str) -> list[str]:
        """Return the lines of the log that contain all of these texts, as far as the program has written them."""
        return [line for line in list(self.log) if all(text in line for text in texts)]

    def until_logged(self, *texts: str, lines: int = 1) -> list[str]:
        """Wait until the log has lines that contain all of these texts, and return them.

        A line may arrive later than a response of the program that reports the same event, because it logs in a thread.
        """
        eventually(lambda: len(self.log_lines(*texts)) >= lines)
        return self.log_lines(*texts)

    def until_ready(self) -> None:
        """Wait until the first pass has ended."""
        eventually(lambda: self.get("/-/ready")[0] == 200)

    def _find_address(self) -> bool:
        if self.stderr != subprocess.PIPE:
            host, _, port = self.listen.rpartition(":")
            self.address = (host, int(port))
            return self._accepts_connections()
        for line in list(self.log):
            if "msg=listening" in line:
                host, _, port = line.rpartition("address=")[2].strip().rpartition(":")
                self.address = (host, int(port))
                return True
            if '"msg": "listening"' in line:
                host, _, port = json.loads(line)["address"].rpartition(":")
                self.address = (host, int(port))
                return True
        return False

    def _accepts_connections(self) -> bool:
        with socket.socket() as connection:
            return connection.connect_ex(self.address) == 0

    @staticmethod
    def _drain(pipe: Any, lines: list[str]) -> None:
        while line := pipe.readline():
            lines.append(line)


def serve(tmp_path: Path, config: dict[str, Any], **env: str) -> Program:
    """Return a program that serves a configuration, not started yet."""
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    env.setdefault("AWS_ENDPOINT_URL_STS", config["targets"][0]["endpoint_url"])
    return Program(["serve", "--config.file", str(path)], env)
