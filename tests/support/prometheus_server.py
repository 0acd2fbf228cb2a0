"""A Prometheus process for tests."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from urllib.request import Request

import yaml

from tests.support.harness import TIMEOUT, eventually, free_port
from tests.support.urls import open_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class Prometheus:
    """A client of a running Prometheus."""

    def __init__(self, url: str) -> None:
        self._url = url

    def get(self, path: str, **parameters: object) -> Any:
        """Send a request to the HTTP API, such as `query`; return the data of the response."""
        url = f"{self._url}/api/v1/{path}?{urlencode(parameters)}"
        with open_url(url) as response:
            return json.load(response)["data"]

    def reload(self) -> None:
        """Reload the configuration; requires the flag --web.enable-lifecycle."""
        with open_url(Request(f"{self._url}/-/reload", method="POST")):  # noqa: S310 (our own address)
            pass

    def value(self, query: str) -> float | None:
        """Return the only value of an instant query; None if the result is empty."""
        result = self.get("query", query=query)["result"]
        assert len(result) <= 1, result
        return float(result[0]["value"][1]) if result else None


def scrape_config(*targets: str, interval: str = "200ms") -> dict[str, Any]:
    """Return a configuration that scrapes exporters."""
    return {
        "global": {"scrape_interval": interval, "scrape_timeout": interval},
        "scrape_configs": [{"job_name": "qbusiness", "static_configs": [{"targets": list(targets)}]}],
    }


def create_blocks(text: Path, data: Path) -> None:
    """Create blocks from a file in the OpenMetrics format, in the data folder of a Prometheus that does not run."""
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def prometheus_with(folder: Path, exposition: str) -> Iterator[Prometheus]:
    """Run a Prometheus that has scraped an exposition once, now.

    A Prometheus with targets scrapes them for the first time five seconds after its start.
    """
    scraped = (f"{line} {time.time()}" for line in exposition.splitlines() if not line.startswith("#"))
    text = folder / "scraped.txt"
    text.write_text("\n".join([*scraped, "# EOF", ""]))
    create_blocks(text, folder / "data")
    with prometheus(folder, {}) as server:
        yield server


@contextmanager
def prometheus(folder: Path, config: Mapping[str, Any], *flags: str) -> Iterator[Prometheus]:
    """Run a Prometheus with its data in the subfolder `data`, and wait until its targets are up.

    It logs to prometheus.log in the folder.
    """
    (folder / "prometheus.yml").write_text(yaml.safe_dump(dict(config)))
    address = f"127.0.0.1:{free_port()}"
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
                "--enable-feature=exemplar-storage",
                *flags,
            ],
            stdout=log,
            stderr=log,
        )
        server = Prometheus(f"http://{address}")

        def is_up() -> bool:
            try:
                up = server.value("min(up)")
                return up == 1 or not config.get("scrape_configs")
            except OSError:
                return False

        try:
            eventually(is_up)
            yield server
        finally:
            process.terminate()
            process.wait(TIMEOUT)
