"""The program put together: a watch over each target, one state, one page, one web server."""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING

import structlog

from exporter import __version__
from exporter.app.build_info import revision
from exporter.app.dependencies import Overrides, Settings, SharedServices
from exporter.app.ownership import SourceOwnership
from exporter.app.target import Target, log_gone
from exporter.aws import name_of
from exporter.domain.history import CountingPolicy
from exporter.exposition import Exposition
from exporter.metrics import IndexFamilies, SourceFamilies
from exporter.metrics.telemetry import Telemetry
from exporter.status import AssessmentSettings, ExporterHealth, StatusDocument
from exporter.web.application import AppServices, create_app
from exporter.web.server.server import WebServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from exporter.app.dependencies import Handover
    from exporter.config import Config
    from exporter.domain.model import SourceId
    from exporter.domain.snapshots import IndexSnapshot, SourceSnapshot
    from exporter.exposition import ExpositionCache
    from exporter.web.web_config import WebConfigReloader

STALE_AFTER = 1800.0  # seconds, as QBusinessDataStale has it; or two polls, where those are further apart
POLLS_MAY_TAKE = 2.0  # seconds at the end for polls in flight
RENDER_EVERY, RENDER_AHEAD = 15.0, 180.0  # seconds
WEB_CONFIG = "web config"
PROMETHEUS_ACCEPTS = "application/openmetrics-text"
GIVE_WAY = 0.005  # seconds between two renderings, each of which takes less than one millisecond

logger = structlog.get_logger()


class Exporter:
    """The whole program; building it opens the state, starting it listens and polls."""

    def __init__(  # noqa: PLR0913 (each a part of its own, made once)
        self,
        config: Config,
        addresses: Sequence[str],
        telemetry_path: str = "/metrics",
        reload: Callable[[], Sequence[str]] | None = None,
        *,
        web_config: WebConfigReloader | None = None,
        telemetry: Telemetry | None = None,
        overrides: Overrides | None = None,
    ) -> None:
        """`reload` is what a request for `/-/reload` calls: it gives the problems that kept the old configuration."""
        overrides = overrides or Overrides()
        self.host = overrides.host
        self._stopping = self.host.event()
        self._started_at = self.host.time()
        self.config_file = ""
        self._applying = threading.Lock()
        self._revision = revision()
        self.telemetry = telemetry or Telemetry(self._revision)
        self._state_path = config.state.path
        self._sources: ExpositionCache[SourceSnapshot] = overrides.section(_families(config), self.host)
        self._indexes: ExpositionCache[IndexSnapshot] = overrides.section(IndexFamilies(), self.host)
        self.page = Exposition((self._sources, self._indexes), self.telemetry.registry)
        self._ahead = self.host.thread("render-ahead", self._render_ahead)
        self._status = StatusDocument(self._sources, self._indexes, self._health, _terms(config))
        site = AppServices(self.page, self._status, self.unhealthy, self.unready, telemetry_path, reload, web_config)
        self._web_config = web_config
        self.web = WebServer(create_app(site), addresses, ssl_context=web_config.ssl_context if web_config else None)
        self._store = overrides.open_state(config.state.path, self.telemetry.state_write_failed)
        self._services = SharedServices(
            self._sources, self._indexes, self._store, self.telemetry, SourceOwnership(), overrides, self._stopping
        )
        self._targets = [Target(settings, self._services) for settings in _settings(config)]
        self._was_ready = False
        self.telemetry.config_loaded(self.host.time())

    def start(self) -> None:
        """Listen and begin to poll; raises StartupError where an address cannot be had."""
        self._restore()
        self.page.render(PROMETHEUS_ACCEPTS, "gzip")  # compresses all of it, so that the first scrape need not
        # What was restored lives as long as the program: the collector need not look through it, for a tenth of a
        # second at a time, while somebody waits for a scrape.
        gc.collect()
        gc.freeze()
        # Not before: a scrape amid the restoring would find whole departments gone, and nothing that says why.
        self.web.start()
        if self._web_config:
            self._web_config.watch(
                tls_changed=self.web.renew_connections,
                applied=lambda: self.telemetry.config_loaded(self.host.time(), WEB_CONFIG),
                refused=lambda: self.telemetry.config_refused(WEB_CONFIG),
            )
        self._begin()
        self._ahead.start()

    def start_polling(self) -> None:
        """Begin to poll, and let nobody see it."""
        self._restore()
        self._begin()

    def _restore(self) -> None:
        for target in self._targets:
            target.claim()
        for target in self._targets:
            target.restore({})

    def _begin(self) -> None:
        for target in self._targets:
            target.start()
        self._store.forget({key for target in self._targets for key in target.poller.watched()}, self.host.time())

    def first_pass_is_on(self) -> bool:
        """Tell whether there are data sources that have not been looked for, or not been polled yet."""
        return any(target.unready() for target in self._targets)

    def has_succeeded(self) -> bool:
        """Tell whether anything could be read."""
        return any(target.has_succeeded() for target in self._targets)

    def polled(self) -> tuple[int, int]:
        """Give how many data sources have been polled, of how many that are known."""
        counts = [target.poll_workers.polled() for target in self._targets]
        return sum(done for done, _ in counts), sum(total for _, total in counts)

    def apply(self, config: Config) -> None:
        """Go on with another configuration: what it does not change goes on as it was.

        Raises ExporterError, and changes nothing, where a target cannot be built. The addresses are not of the
        configuration, and the state file stays what it was.
        """
        with self._applying:
            if self._stopping.is_set():
                return
            old = {target.name: target for target in self._targets}
            targets = []
            for settings in _settings(config):
                before = old.get(name_of(settings.target))
                unchanged = before is not None and before.settings == settings
                targets.append(before if before and unchanged else Target(settings, self._services, before))
            if config.state.path != self._state_path:
                logger.warning("state.path changes with a restart alone", in_use=self._state_path)
            self._change(targets)
            self._sources.declare(_families(config))
            self._status.declare(_terms(config))

    def _change(self, targets: list[Target]) -> None:
        """Let new targets take the place of old ones, without a gap in what is shown."""
        gone = [target for target in self._targets if target not in targets]
        new = [target for target in targets if target not in self._targets]
        names = {target.name for target in targets}
        left: dict[SourceId, Handover] = {}
        for target in gone:
            leaving = target.stop_and_detach()
            left |= leaving
            if target.name not in names:
                for source in leaving:
                    self._services.ownership.release(source, target.name)
        for target in new:
            target.claim()
        for target in new:
            target.restore(left)
        self._targets = targets
        for each in left.values():
            self._drop(each)
        shown = {index for target in targets for index in target.reconciler.shown()}
        for target in gone:
            if target.name not in names:
                target.remove_from_page(shown)
        for target in new:
            target.start()
        log = logger.bind(targets=len(targets), data_sources=sum(target.poll_workers.watched() for target in targets))
        before = {target.name for target in gone}
        log.info(
            "configuration applied",
            added=[target.name for target in new if target.name not in before],
            changed=[target.name for target in new if target.name in before],
            removed=[target.name for target in gone if target.name not in names],
        )

    def _drop(self, left: Handover) -> None:
        """Let go of a source that no target goes on with."""
        source = left.watch.source
        self._services.ownership.release(source.id, left.target)
        if self._services.ownership.owner(source.id) is None:
            self._sources.withdraw(str(source.id))
            log_gone(source)
            self._store.note_known(str(source.id), None)

    def rest(self) -> None:
        """Poll no more, and keep what is known."""
        deadline = self.host.monotonic() + POLLS_MAY_TAKE
        for target in self._targets:
            target.stop()
        for target in self._targets:
            target.join(deadline)

    def targets(self) -> tuple[Target, ...]:
        """Give the targets, as the configuration has them."""
        return tuple(self._targets)

    def snapshots(self) -> list[SourceSnapshot]:
        """Give what is known of each data source that is shown."""
        return [snapshot for snapshot, _ in self._sources.everything()]

    def stop(self) -> None:
        """Stop within seconds: nothing new, a moment for what is under way, the state written."""
        self._stopping.set()
        deadline = self.host.monotonic() + POLLS_MAY_TAKE
        for target in self._targets:
            target.stop()
        for target in self._targets:
            target.join(deadline)
        self._store.close()
        if self._web_config:
            self._web_config.stop()
        self.web.stop()

    def _render_ahead(self) -> None:
        """Leave no work to the scrape after 02:00, when the whole organisation is due; ends with the program."""
        while not self._stopping.wait(RENDER_EVERY):
            self._status.rest()
            try:
                for _ in self.page.prepare(RENDER_AHEAD):
                    if self._stopping.wait(GIVE_WAY):
                        return
            except Exception:
                logger.exception("rendering ahead failed; scrapes do it themselves")
                return

    def _health(self) -> ExporterHealth:
        return ExporterHealth(
            version=__version__,
            revision=self._revision,
            now=self.host.time(),
            started_at=self._started_at,
            unready=self.unready(),
            targets=tuple(target.health() for target in self._targets),
            state_path=self._state_path,
            state_is_written=self._store.is_written,
            config_file=self.config_file,
            config_is_current=self.telemetry.config_is_current,
            config_loaded_at=self.telemetry.config_loaded_at,
        )

    def unhealthy(self) -> str | None:
        """Say why it does not do its work; None when it does."""
        reasons = ((target.name, target.unhealthy()) for target in self._targets)
        return next((f"target {name}: {reason}" for name, reason in reasons if reason), None)

    def unready(self) -> str | None:
        """Say why the first pass has not ended; once it has, neither an outage nor a new target takes that back."""
        reason = None if self._was_ready else self._not_yet_ready()
        self._was_ready = reason is None
        return reason

    def _not_yet_ready(self) -> str | None:
        reasons = ((target.name, target.unready()) for target in self._targets)
        waiting = next((f"target {name}: {reason}" for name, reason in reasons if reason), None)
        if waiting or self.has_succeeded():
            return waiting
        return "no poll has succeeded yet"


def _settings(config: Config) -> Iterator[Settings]:
    policy = CountingPolicy(config.polling.window, config.metrics.duration_buckets)
    return (Settings(target, config.polling, policy) for target in config.targets)


def _families(config: Config) -> SourceFamilies:
    return SourceFamilies(config.polling.window, config.objectives)


def _terms(config: Config) -> AssessmentSettings:
    patience = max(STALE_AFTER, 2 * config.polling.idle_interval)
    return AssessmentSettings(config.polling.window, config.objectives, patience)
