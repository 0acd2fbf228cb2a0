"""A fresh process with a copy of the state of a running one, before it sends a request."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.app.dependencies import Overrides
from exporter.app.exporter import Exporter
from exporter.metrics.telemetry import Telemetry
from exporter.runtime import System
from tests.support.harness import Scrape
from tests.support.running_exporter import config_from

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Thread


class IdleSystem(System):
    """A host whose threads do nothing, so that the exporter exposes its restored state."""

    def thread(self, name: str, work: Callable[[], None]) -> Thread:
        """Return a thread that ends immediately."""
        del work
        return super().thread(name, lambda: None)


def scrape_fresh(config: dict[str, Any]) -> Scrape:
    """Return what an exporter exposes that has just started with a configuration and a copy of its state file."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "state.db"
        with closing(sqlite3.connect(config["state"]["path"])) as state, closing(sqlite3.connect(copy)) as target:
            state.backup(target)
        exporter = Exporter(
            config_from({**config, "state": {"path": str(copy)}}),
            [],
            telemetry=Telemetry(process_metrics=False),
            overrides=Overrides(host=IdleSystem()),
        )
        try:
            exporter.start_polling()
            body, _ = exporter.page.render("text/plain", "")
        finally:
            exporter.stop()
    return Scrape.parse(b"".join(body).decode())
