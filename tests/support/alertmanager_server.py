"""A real Alertmanager, and somebody who is told by it."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import groupby
from typing import TYPE_CHECKING, Any, Self

import yaml

from tests.support.harness import eventually, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PROGRAM = shutil.which("alertmanager") or "prometheus-alertmanager"  # which is what Debian calls it


@dataclass(frozen=True)
class Told:
    """One alert of one notification: where it was sent, whether it fires or is over, and what it says."""

    receiver: str
    status: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


class Receiver:
    """A web hook that keeps what it is told; use it as a context manager."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.told))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Give the address below which each receiver has a path of its name."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def courses(self) -> dict[frozenset[tuple[str, str]], list[str]]:
        """Give what each alert was said to be, one after the other, without repetitions."""
        told = list(self.told)
        alerts = {frozenset(one.labels.items()) for one in told}
        said = {alert: [one.status for one in told if frozenset(one.labels.items()) == alert] for alert in alerts}
        return {alert: [status for status, _ in groupby(statuses)] for alert, statuses in said.items()}


def _handler(told: list[Told]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.extend(
                Told(self.path.strip("/"), alert["status"], alert["labels"], alert["annotations"])
                for alert in message["alerts"]
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def alertmanager(folder: Path, config: Mapping[str, Any], receiver: Receiver) -> Iterator[str]:
    """Run an Alertmanager whose receivers are all one web hook, each at a path of its name; give its address."""
    receivers = [
        {"name": known["name"], "webhook_configs": [{"url": f"{receiver.url}/{known['name']}"}]}
        for known in config["receivers"]
    ]
    (folder / "alertmanager.yml").write_text(yaml.safe_dump({**config, "receivers": receivers}))
    address = f"127.0.0.1:{free_port()}"
    with (folder / "alertmanager.log").open("w") as log:
        process = subprocess.Popen(
            [
                PROGRAM,
                f"--config.file={folder / 'alertmanager.yml'}",
                f"--storage.path={folder / 'alertmanager'}",
                f"--web.listen-address={address}",
                "--cluster.listen-address=",
            ],
            stdout=log,
            stderr=log,
        )

        def is_up() -> bool:
            try:
                with urllib.request.urlopen(f"http://{address}/-/ready", timeout=5):
                    return True
            except OSError:
                return False

        try:
            eventually(is_up)
            yield address
        finally:
            process.terminate()
            process.wait(20)
