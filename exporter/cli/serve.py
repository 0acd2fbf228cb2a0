"""`serve`: poll and serve metrics until a signal stops it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import structlog

from exporter import __version__
from exporter.app.build_info import revision
from exporter.app.exporter import Exporter
from exporter.cli.config_files import ConfigReader
from exporter.cli.flags import DEFAULT_ADDRESS
from exporter.cli.signals import SignalReceiver
from exporter.errors import ConfigError, ExporterError
from exporter.metrics.telemetry import Telemetry
from exporter.web.public_address import PublicAddress
from exporter.web.server.systemd import inherited_sockets

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence
    from socket import socket

    from exporter.cli.config_files import Configuration
    from exporter.config import Config
    from exporter.web.server.server import WebServer
    from exporter.web.web_config import WebConfigReloader

# The time after which a computing thread releases the interpreter lock if another thread waits for it. The response to
# a scrape needs the lock again after each chunk. With the default of 5 ms, it would wait long during polls and pages.
SWITCH_SECONDS = 0.001

logger = structlog.get_logger()


def run(arguments: Namespace) -> int:
    """Serve the metrics of the configured targets."""
    reader = ConfigReader(arguments)
    loaded = reader.read()
    logger.info("starting", version=__version__, revision=revision(), config=loaded.file)
    return serve(loaded, arguments, reader.read_config)


def serve(
    loaded: Configuration,
    arguments: Namespace,
    reread: Callable[[], Configuration],
    started: Callable[[WebServer], None] = lambda _: None,
) -> int:
    """Run the exporter until SIGTERM or SIGINT, and reload on SIGHUP; raise ExporterError if it cannot start.

    `started` is called as soon as the web server listens.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    signals = SignalReceiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # a signal that arrived before is delivered now
    loaded.log_warnings()
    web_config = loaded.web_config
    reloader = Reloader(reread, loaded.config, web_config)
    exporter = Exporter(
        loaded.config,
        _listen_addresses(arguments),
        arguments.web_telemetry_path,
        lambda: reloader.reload(exporter),
        web_config=web_config,
        address=PublicAddress.of(arguments.web_external_url, arguments.web_route_prefix, arguments.grafana_url),
        telemetry=Telemetry(revision(), log_lines_dropped=arguments.log_sink.dropped),
    )
    exporter.config_file = loaded.file
    try:
        # The state may have waited for seconds for a database that does not respond.
        if signals.has_received(signal.SIGTERM, signal.SIGINT):
            logger.info("stopping")
            return 0
        exporter.start()
        for host, port in exporter.web.addresses:
            address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            logger.info("listening", scheme=exporter.web.scheme, address=address)
        started(exporter.web)
        wait_for_stop(signals, lambda: reloader.reload(exporter))
        logger.info("stopping")
    finally:
        exporter.stop()
    return 0


def wait_for_stop(signals: SignalReceiver, reload: Callable[[], object]) -> None:
    """Reload on each SIGHUP, until another signal arrives.

    Reloads run in a thread, so that a stop does not wait for one. Example: a configuration file is on a file system
    that does not respond.
    """
    requested = threading.Event()
    threading.Thread(target=_reload_on_request, args=(requested, reload), name="reload", daemon=True).start()
    while signals.wait() == signal.SIGHUP:
        requested.set()


def _reload_on_request(requested: threading.Event, reload: Callable[[], object]) -> None:
    while requested.wait():
        requested.clear()
        try:
            reload()
        except Exception:
            logger.exception("configuration reload failed with an unexpected exception")


def _listen_addresses(arguments: Namespace) -> Sequence[str | socket]:
    """Return the addresses to listen on, or the sockets of systemd."""
    if arguments.web_systemd_socket:
        return inherited_sockets(os.environ, os.getpid())
    return arguments.web_listen_address or [DEFAULT_ADDRESS]


class Reloader:
    """Reads and applies the configuration again, for SIGHUP and for requests."""

    def __init__(
        self, reread: Callable[[], Configuration], current: Config, web_config: WebConfigReloader | None = None
    ) -> None:
        self._reread = reread
        self._current = current
        self._web_config = web_config
        # Without this lock, a reload that has read an older file could be applied after one that has read a newer one.
        self._lock = threading.Lock()

    def reload(self, exporter: Exporter) -> list[str]:
        """Reload. If that fails, keep the previous configuration and return the problems.

        Errors in the web config keep the previous configuration too.
        """
        with self._lock:
            problems = self._apply(exporter)
            for problem in problems:
                logger.error("configuration reload failed, keeping the previous one", problem=problem)
            return problems

    def _apply(self, exporter: Exporter) -> list[str]:
        web_problems = self._web_config.check(reports_problems=True) if self._web_config else []
        problems = [str(problem) for problem in web_problems]
        try:
            loaded = self._reread()
            if not problems:
                exporter.apply(loaded.config)
        except ExporterError as error:
            exporter.telemetry.config_rejected()
            own = error.problems if isinstance(error, ConfigError) else [error]
            return [*map(str, own), *problems]
        if problems:
            # The web config is applied as soon as it is valid again, and a changed configuration at the next reload.
            if loaded.config != self._current:
                exporter.telemetry.config_rejected()
            return problems
        self._current, exporter.config_file = loaded.config, loaded.file
        exporter.telemetry.config_loaded(exporter.host.time())
        loaded.log_warnings()
        return []
