"""An Alertmanager process for tests, and a webhook that receives its notifications."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import groupby
from typing import TYPE_CHECKING, Any, Self

import yaml

from tests.support.harness import TIMEOUT, eventually, free_port
from tests.support.urls import open_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PROGRAM = shutil.which("alertmanager") or "prometheus-alertmanager"  # the name in Debian


@dataclass(frozen=True)
class Notification:
    """One alert of a notification, with the name of the receiver; the status is `firing` or `resolved`."""

    receiver: str
    status: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


class Receiver:
    """A webhook that records notifications; a context manager that serves it."""

    def __init__(self) -> None:
        self.notifications: list[Notification] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.notifications))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """The base URL; the path of a receiver is its name."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        """Start to serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def status_changes(self) -> dict[frozenset[tuple[str, str]], list[str]]:
        """Return the statuses of each alert, by its labels, in order and without repetitions."""
        statuses: dict[frozenset[tuple[str, str]], list[str]] = {}
        for notification in list(self.notifications):
            statuses.setdefault(frozenset(notification.labels.items()), []).append(notification.status)
        return {labels: [status for status, _ in groupby(each)] for labels, each in statuses.items()}


def _handler(notifications: list[Notification]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            notifications.extend(
                Notification(self.path.strip("/"), alert["status"], alert["labels"], alert["annotations"])
                for alert in message["alerts"]
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Do not log requests."""

    return Handler


@contextmanager
def alertmanager(folder: Path, config: Mapping[str, Any], receiver: Receiver) -> Iterator[str]:
    """Run an Alertmanager whose receivers are replaced by one webhook; yield the address of the Alertmanager."""
    receivers = [
        {"name": each["name"], "webhook_configs": [{"url": f"{receiver.url}/{each['name']}"}]}
        for each in config["receivers"]
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

        def is_ready() -> bool:
            try:
                with open_url(f"http://{address}/-/ready"):
                    return True
            except OSError:
                return False

        try:
            eventually(is_ready)
            yield address
        finally:
            process.terminate()
            process.wait(TIMEOUT)
