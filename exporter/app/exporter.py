"""The exporter: builds and connects its targets, its state, its exposition and its web server."""

from __future__ import annotations

import gc
from contextlib import ExitStack
from typing import TYPE_CHECKING

import structlog

from exporter import __version__
from exporter.app.build_info import revision
from exporter.app.dependencies import Overrides, SharedServices
from exporter.app.first_pass import FirstPass
from exporter.app.heap import without_garbage_collection
from exporter.app.ownership import SourceOwnership
from exporter.app.published_metrics import PublishedMetrics
from exporter.app.render_ahead import RenderAhead
from exporter.app.running_targets import RunningTargets
from exporter.app.settings import Settings
from exporter.app.state import StateContext
from exporter.exposition import OPENMETRICS_TYPE, Exposition
from exporter.metrics import FilteredRegistry
from exporter.metrics.telemetry import Telemetry
from exporter.polling.objective_recorder import ObjectiveRecorder
from exporter.status.document import StatusDocument
from exporter.status.health import ExporterHealth
from exporter.web.application import AppServices
from exporter.web.public_address import UNKNOWN_ADDRESS
from exporter.web.site import build_server

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from socket import socket

    from exporter.app.target import Target
    from exporter.config import Config
    from exporter.domain.snapshots import SourceSnapshot
    from exporter.web.public_address import PublicAddress
    from exporter.web.web_config import WebConfigReloader

SHUTDOWN_GRACE = 2.0  # seconds for which the program waits for polls in progress when it stops
STATE_STOP = 4.2  # seconds after which a stop gives up on a database; the web server stops after that
WEB_CONFIG = "web config"

logger = structlog.get_logger()


class Exporter:
    """The whole program. Its constructor opens the state; `start` listens and polls."""

    def __init__(  # noqa: PLR0913 (what it connects)
        self,
        config: Config,
        addresses: Sequence[str | socket],
        telemetry_path: str = "/metrics",
        reload: Callable[[], Sequence[str]] | None = None,
        *,
        web_config: WebConfigReloader | None = None,
        address: PublicAddress = UNKNOWN_ADDRESS,
        telemetry: Telemetry | None = None,
        overrides: Overrides | None = None,
    ) -> None:
        """Open the state; `reload` serves `/-/reload`, and returns the problems of a configuration that it rejects."""
        overrides = overrides or Overrides()
        settings = Settings.from_config(config)
        self.host = overrides.host
        self.config_file = ""
        self.telemetry = telemetry or Telemetry(revision())
        self._stopping = self.host.event()
        self._started_at = self.host.time()
        self._applying = self.host.lock()
        self._state_config = settings.state
        self._unapplied: str | None = None
        self._published = published = PublishedMetrics(settings.families, overrides.cache, self.host)
        self._own = FilteredRegistry(self.telemetry.registry, settings.exposed)
        self.page = Exposition(published.caches, self._own)
        self._status = StatusDocument(
            published.all_sources, published.all_containers, self._health, settings.assessment
        )
        self._renderer = RenderAhead(
            self.page, self._status, self.host, self._stopping, lambda: bool(self._targets.starting())
        )
        self._web_config = web_config
        http, page, status = self.telemetry.http, self.page, self._status
        services = AppServices(
            page,
            status,
            self.unhealthy,
            self.unready,
            telemetry_path,
            reload,
            web_config,
            address,
            http,
            self.unapplied,
        )
        self.web = build_server(services, addresses)
        context = StateContext(self.host, address.external_url, self.telemetry.count_state_write_failure)
        self._services = SharedServices(
            published,
            self.telemetry,
            SourceOwnership(),
            ObjectiveRecorder(config.objectives),
            overrides,
            self._stopping,
        )
        with ExitStack() as opened:  # a target that cannot be built ends the program
            with without_garbage_collection():
                self._state = overrides.open_state(settings.state, context)
            opened.callback(self._state.close)
            self.telemetry.watch_state(lambda: self._state.is_up)
            self._targets = RunningTargets(settings.targets, self._state, self._services)
            opened.pop_all()
        self.first_pass = FirstPass(self._targets)
        self.telemetry.config_loaded(self.host.time())

    # Life cycle.

    def start(self) -> None:
        """Listen and start to poll; raise StartupError if an address is not available."""
        with without_garbage_collection():
            self._targets.restore()
            self.page.render(OPENMETRICS_TYPE, "gzip")  # compress everything, so that the first scrape is fast
            # Restored objects live as long as the program. Unless they are frozen, each full garbage collection
            # traverses all of them, which can delay a scrape by 0.1 s.
            gc.freeze()
        with self._applying:  # a client may request a reload as soon as the port is open
            # A scrape during the restore would lack data sources without any sign of that for Prometheus.
            self.web.start()
            if self._web_config:
                self._web_config.watch(
                    tls_changed=self.web.renew_connections,
                    applied=lambda: self.telemetry.config_loaded(self.host.time(), WEB_CONFIG),
                    refused=lambda: self.telemetry.config_rejected(WEB_CONFIG),
                )
            self._targets.start(is_one_pass=False)
            self._state.start(self._follow_owners)
        self._renderer.start()

    def start_polling(self, *, is_one_pass: bool = True) -> None:
        """Start to poll without a web server, and for one pass without counts of documents and events."""
        self._targets.restore()
        self._targets.start(is_one_pass=is_one_pass)
        self._state.start(self._follow_owners)

    def apply(self, config: Config) -> None:
        """Continue with another configuration. Targets that it does not change are not interrupted.

        Raise ExporterError, and change nothing, if a target cannot be built. Listen addresses are flags and not part of
        the configuration. The state file stays the one that was opened at start.
        """
        with self._applying:
            settings = Settings.from_config(config)
            self._unapplied = None
            if settings.state != self._state_config:
                self._unapplied = f"state not applied: a restart is needed; until then, {self._state.address} is in use"
                logger.warning("state not applied: a restart is needed", in_use=self._state.address)
            self._targets.apply(settings.targets, config.objectives)
            self._published.use_families(settings.families)
            self._own.use_filter(settings.exposed)
            self._status.use_settings(settings.assessment)

    def stop_polling(self) -> None:
        """Stop polling; the snapshots stay published."""
        self._targets.stop(self.host.monotonic() + SHUTDOWN_GRACE)

    def stop(self) -> None:
        """Stop within five seconds: start no further work, wait briefly for polls in progress, write the state."""
        deadline = self.host.monotonic() + STATE_STOP
        self._stopping.set()
        self.stop_polling()
        self._targets.close()
        self._state.close(deadline - self.host.monotonic())
        if self._web_config:
            self._web_config.stop()
        self.web.stop()
        gc.unfreeze()  # otherwise objects that were frozen at start could never be collected if the process continues

    def _follow_owners(self) -> None:
        with self._applying:
            self._targets.follow_owners()

    # State, for commands and the web server.

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets, in the order of the configuration."""
        return tuple(self._targets.current)

    def snapshots(self) -> list[SourceSnapshot]:
        """Return the snapshot of each data source that is exposed."""
        return [snapshot for snapshot, _ in self._published.all_sources.snapshots()]

    def unhealthy(self) -> str | None:
        """Return why the program does not work; None if it does."""
        reasons = ((target.name, target.unhealthy()) for target in self._targets.current)
        return next((f"target {name}: {reason}" for name, reason in reasons if reason), None)

    def unready(self) -> str | None:
        """Return why the first pass has not ended; None once it has."""
        return self.first_pass.unready()

    def unapplied(self) -> str | None:
        """Return the part of the last configuration that needs a restart; None without one."""
        return self._unapplied

    def _health(self) -> ExporterHealth:
        return ExporterHealth(
            version=__version__,
            revision=revision(),
            now=self.host.time(),
            started_at=self._started_at,
            unready=self.unready(),
            targets=tuple(target.health() for target in self._targets.current),
            state_path=self._state.address,
            state_is_written=self._state.is_up,
            replicas=tuple(self._state.replicas()),
            differing_targets=tuple(self._state.differing_targets()),
            unreadable_targets=self._targets.unreadable(),
            config_file=self.config_file,
            config_is_current=self.telemetry.config_is_current,
            config_loaded_at=self.telemetry.config_loaded_at,
        )
