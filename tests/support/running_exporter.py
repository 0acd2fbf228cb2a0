"""The exporter in the process of the test, over real HTTP: reloads take no new process."""

from __future__ import annotations

import http.client
import os
import threading
from typing import TYPE_CHECKING, Any, Self
from unittest import mock

import yaml

from exporter.app.exporter import Exporter
from exporter.cli.config_files import Configuration
from exporter.cli.serve import Reloader
from exporter.config.load import parse
from exporter.metrics.telemetry import Telemetry
from tests.support.harness import TIMEOUT, Scrape, eventually

if TYPE_CHECKING:
    from exporter.config import Config


class RunningExporter:
    """An exporter that polls and serves; a context manager that starts and stops it."""

    def __init__(self, config: dict[str, Any], **variables: str) -> None:
        """Prepare the exporter with variables of its environment; STS is at the endpoint of the first target."""
        own = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_STS": config["targets"][0]["endpoint_url"],
        }
        others = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self._environment = mock.patch.dict(os.environ, {**others, **own, **variables}, clear=True)
        self._config = config_from(config)

    def __enter__(self) -> Self:
        """Start to listen and to poll."""
        self._environment.start()
        reloader = Reloader(lambda: Configuration(self._config, (), "test"), self._config)
        self.exporter = Exporter(
            self._config,
            ["127.0.0.1:0"],
            reload=lambda: reloader.reload(self.exporter),
            telemetry=Telemetry(process_metrics=False),
        )
        self.exporter.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.exporter.stop()
        self._environment.stop()

    def reload(self, config: dict[str, Any]) -> None:
        """Reload with another configuration."""
        self._config = config_from(config)
        assert self.request("POST", "/-/reload") == (200, "Configuration reloaded.\n")

    def scrape(self) -> Scrape:
        """Scrape the metrics."""
        status, body = self.request("GET", "/metrics")
        assert status == 200, body
        return Scrape.parse(body)

    def until_ready(self) -> None:
        """Wait until the first pass has ended."""
        eventually(lambda: self.request("GET", "/-/ready")[0] == 200)

    def request(self, method: str, path: str) -> tuple[int, str]:
        """Send a request; return status and body."""
        host, port = self.exporter.web.addresses[0]
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()


def poll_threads() -> set[threading.Thread]:
    """Return the threads that poll or run discovery, including threads of replaced targets."""
    return {thread for thread in threading.enumerate() if thread.name.startswith(("poll-", "discovery"))}


def config_from(config: dict[str, Any]) -> Config:
    """Return the parsed configuration."""
    loaded = parse(yaml.safe_dump(config), "config.yaml")
    return loaded.config
