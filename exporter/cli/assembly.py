"""The program put together: a watch over each target, one state, one page, one web server."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from exporter import __version__
from exporter.cli.claims import Claims
from exporter.cli.target import Shared, Target
from exporter.exposition import Exposition, Section
from exporter.history import Policy
from exporter.metrics import IndexFamilies, SourceFamilies
from exporter.scheduler import SystemClock
from exporter.store import Store
from exporter.telemetry import Telemetry
from exporter.web.application import Site, create_app
from exporter.web.server import WebServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.config import Config

POLLS_MAY_TAKE = 2.0  # seconds at the end for polls in flight
RENDER_EVERY, RENDER_AHEAD = 15.0, 180.0  # seconds
GIVE_WAY = 0.005  # seconds between two renderings, each of which takes less than one millisecond

logger = structlog.get_logger()


class Exporter:
    """The whole program; building it opens the state, starting it listens and polls."""

    def __init__(self, config: Config, addresses: Sequence[str], telemetry_path: str = "/metrics") -> None:
        self._clock = SystemClock()
        self._stopping = threading.Event()
        telemetry = Telemetry()
        sources = Section(SourceFamilies(config.polling.window), self._clock)
        indexes = Section(IndexFamilies(), self._clock)
        page = Exposition((sources, indexes), telemetry.registry)
        self._ahead = threading.Thread(target=self._render_ahead, args=(page,), name="render-ahead", daemon=True)
        self.web = WebServer(
            create_app(Site(page, self._unhealthy, self._unready, __version__, telemetry_path)),
            addresses,
        )
        self._store = Store(config.state.path, telemetry.state_write_failed)
        policy = Policy(config.polling.window, config.metrics.duration_buckets)
        shared = Shared(config, policy, sources, indexes, self._store, telemetry, Claims(), self._clock, self._stopping)
        self._targets = [Target(target, shared) for target in config.targets]
        telemetry.config_loaded(self._clock.time())

    def start(self) -> None:
        """Listen and begin to poll; raises StartupError where an address cannot be had."""
        for target in self._targets:
            target.claim()
        for target in self._targets:
            target.restore()
        # Not before: a scrape amid the restoring would find whole departments gone, and nothing that says why.
        self.web.start()
        for target in self._targets:
            target.start()
        self._ahead.start()
        self._store.forget({key for target in self._targets for key in target.poller.watched()}, self._clock.time())

    def stop(self) -> None:
        """Stop within seconds: nothing new, a moment for what is under way, the state written."""
        self._stopping.set()
        deadline = self._clock.monotonic() + POLLS_MAY_TAKE
        for target in self._targets:
            target.stop()
        for target in self._targets:
            target.join(deadline)
        self._store.close()
        self.web.stop()

    def _render_ahead(self, page: Exposition) -> None:
        """Leave no work to the scrape after 02:00, when the whole organisation is due; ends with the program."""
        while not self._stopping.wait(RENDER_EVERY):
            try:
                for _ in page.prepare(RENDER_AHEAD):
                    if self._stopping.wait(GIVE_WAY):
                        return
            except Exception:
                logger.exception("rendering ahead failed; scrapes do it themselves")
                return

    def _unhealthy(self) -> str | None:
        reasons = ((target.name, target.unhealthy()) for target in self._targets)
        return next((f"target {name}: {reason}" for name, reason in reasons if reason), None)

    def _unready(self) -> str | None:
        reasons = ((target.name, target.unready()) for target in self._targets)
        waiting = next((f"target {name}: {reason}" for name, reason in reasons if reason), None)
        if waiting or any(target.has_succeeded() for target in self._targets):
            return waiting
        return "no poll has succeeded yet"
