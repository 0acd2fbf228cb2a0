"""The rules in another ruler: vmalert, with VictoriaMetrics as its storage."""

from __future__ import annotations

import socket
import subprocess
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import yaml

from exporter.status.query import Query
from tests.support.alert_rules import RULE_FILES
from tests.support.harness import TIMEOUT, eventually, free_port
from tests.support.prometheus_server import Prometheus, scrape_config
from tests.support.status_fixtures import StatusFixture, alerting, example_sources
from tests.support.time_scaling import write_scaled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INTERVAL = "500ms"


def test_alerts_fire_although_the_ruler_adds_labels(tmp_path: Path) -> None:
    """Vmalert adds a label to every recorded series, and fires the alerts of the problems on the status page."""
    fixture = StatusFixture.of(example_sources())
    (tmp_path / "metrics").write_bytes(fixture.metrics())
    expected = {
        (problem["alert"], source["data_source"])
        for source in fixture.status.document(Query())["data_sources"]
        for problem in alerting(source["problems"])
    }
    with exporter(tmp_path) as target, victoria_metrics(tmp_path, target) as url, vmalert(tmp_path, url):
        server = Prometheus(url)

        def fired() -> set[tuple[str, str]]:
            query = 'last_over_time(ALERTS{alertstate="firing", data_source!="", cluster="eu", aws_account_id!=""}[1h])'
            found = server.get("query", query=query)["result"]
            return {(alert["metric"]["alertname"], alert["metric"]["data_source"]) for alert in found}

        eventually(lambda: fired() >= expected, 240.0)


@contextmanager
def exporter(folder: Path) -> Iterator[str]:
    """Serve the file `metrics` of a folder; yield the address."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever).start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@contextmanager
def victoria_metrics(folder: Path, target: str) -> Iterator[str]:
    """Run VictoriaMetrics, which scrapes the target; yield its URL."""
    (folder / "scrape.yml").write_text(yaml.safe_dump(scrape_config(target, interval=INTERVAL)))
    port = free_port()
    flags = (
        f"-promscrape.config={folder / 'scrape.yml'}",
        f"-storageDataPath={folder / 'storage'}",
        "-search.latencyOffset=0s",
        "-retentionPeriod=100y",
    )
    with running("victoria-metrics", f"-httpListenAddr=127.0.0.1:{port}", *flags):
        eventually(lambda: accepts_connections(port))
        yield f"http://127.0.0.1:{port}"


@contextmanager
def vmalert(folder: Path, storage: str) -> Iterator[None]:
    """Run vmalert with the rules, all durations divided, and an external label."""
    with running(
        "vmalert",
        *(f"-rule={write_scaled(file, folder)}" for file in RULE_FILES),
        f"-evaluationInterval={INTERVAL}",
        "-external.label=cluster=eu",
        f"-datasource.url={storage}",
        f"-remoteRead.url={storage}",
        f"-remoteWrite.url={storage}",
        "-remoteWrite.flushInterval=100ms",
        f"-notifier.url={storage}",  # required; the alerts are read from the storage
        f"-httpListenAddr=127.0.0.1:{free_port()}",
    ):
        yield


def accepts_connections(port: int) -> bool:
    """Return whether a program listens on a port of the loopback interface."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(*command: str) -> Iterator[None]:
    """Run a program until the end of the context."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
        assert process.poll() is None, f"{command[0]} has ended"
    finally:
        process.terminate()
        process.wait(TIMEOUT)
