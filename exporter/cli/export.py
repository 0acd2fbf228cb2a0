"""`export`: poll every data source once and print the metrics, for cron and the textfile collector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from exporter.app.build_info import revision
from exporter.app.dependencies import Overrides
from exporter.app.exporter import Exporter
from exporter.app.state import open_for_one_pass
from exporter.cli.config_files import read
from exporter.cli.output import atomic_output
from exporter.cli.progress import wait_for_first_pass
from exporter.cli.signals import DeferredSignals
from exporter.metrics.telemetry import Telemetry

if TYPE_CHECKING:
    from argparse import Namespace

logger = structlog.get_logger()


def run(arguments: Namespace) -> int:
    """Poll everything once and print the metrics; return 1 if nothing could be read."""
    loaded = read(arguments)
    loaded.log_warnings()
    # The file lacks the process metrics, because node_exporter, which reads it, exposes its own under the same names.
    telemetry = Telemetry(revision(), process_metrics=False, log_lines_dropped=arguments.log_sink.dropped)
    overrides = Overrides(open_state=open_for_one_pass)
    with atomic_output(arguments.output) as write:  # before the state is opened, because a pipe may have no reader yet
        exporter = Exporter(loaded.config, [], telemetry=telemetry, overrides=overrides)
        with DeferredSignals() as signals:
            try:
                exporter.start_polling()
                wait_for_first_pass(exporter, signals.pause)
                metrics, _ = exporter.page.render("", "")
            finally:
                exporter.stop()
        write(metrics)
    if exporter.first_pass.has_succeeded():
        return 0
    logger.error("no data source could be read, printing the last known values")
    return 1
