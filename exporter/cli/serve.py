"""`serve`: poll and serve metrics until told to stop."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import structlog

from exporter import __version__
from exporter.cli.assembly import Exporter
from exporter.cli.configuration import read

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from exporter.config import Config
    from exporter.web.server import WebServer

logger = structlog.get_logger()


def run(arguments: Namespace) -> int:
    """Serve what the configuration names."""
    loaded = read(arguments)
    for warning in loaded.warnings:
        logger.warning("unwise configuration", problem=str(warning))
    logger.info("starting", version=__version__, config=loaded.file)
    return serve(loaded.config, arguments)


def serve(config: Config, arguments: Namespace, started: Callable[[WebServer], None] = lambda _: None) -> int:
    """Run the exporter until SIGTERM or SIGINT; raises ExporterError when it cannot start."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    # Unhandled, the signal that asks daemons to reload would end this one.
    signal.signal(
        signal.SIGHUP, lambda *_: logger.warning("cannot reload yet: restart to apply a changed configuration")
    )
    exporter = Exporter(config, arguments.listen_address, arguments.telemetry_path)
    try:
        exporter.start()
        for host, port in exporter.web.addresses:
            logger.info("listening", address=f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        started(exporter.web)
        stop.wait()
        logger.info("stopping")
    finally:
        exporter.stop()
    return 0
