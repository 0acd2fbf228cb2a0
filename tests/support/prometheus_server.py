"""A real Prometheus, started for a test."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import yaml

from tests.support.harness import eventually, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class Prometheus:
    """A Prometheus server that answers queries."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, path: str, **parameters: object) -> Any:
        """Ask its API."""
        url = f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 (our own address)
            return json.load(response)["data"]

    def reload(self) -> None:
        """Have it read its files again; needs the flag --web.enable-lifecycle."""
        request = urllib.request.Request(f"{self._url}/-/reload", method="POST")  # noqa: S310 (our own address)
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 (our own address)

    def value(self, query: str) -> float | None:
        """Give the one value of an instant query; None when there is none."""
        result = self.ask("query", query=query)["result"]
        assert len(result) <= 1, result
        return float(result[0]["value"][1]) if result else None


def scraping(*targets: str, every: str = "200ms") -> dict[str, Any]:
    """Give a configuration that scrapes exporters so often."""
    return {
        "global": {"scrape_interval": every, "scrape_timeout": every},
        "scrape_configs": [{"job_name": "qbusiness", "static_configs": [{"targets": list(targets)}]}],
    }


@contextmanager
def prometheus(folder: Path, config: Mapping[str, Any], *flags: str) -> Iterator[Prometheus]:
    """Run a Prometheus, and wait until what it scrapes, if anything, is up; its data are in the folder `data`."""
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
                return not config.get("scrape_configs") or server.value("min(up)") == 1
            except OSError:
                return False

        try:
            eventually(is_up)
            yield server
        finally:
            process.terminate()
            process.wait(20)
