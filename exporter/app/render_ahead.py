"""Renders samples and assesses data sources in advance, so that no scrape or page has to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from exporter.web.page import compile_templates

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.exposition import Exposition
    from exporter.runtime import Event, Host
    from exporter.status.document import StatusDocument

RENDER_INTERVAL, RENDER_AHEAD = 15.0, 180.0  # seconds
FIRST_PAGE_DELAY = 1.0  # seconds after the start, in which only scrapes render
MAX_POSTPONED = 60.0  # seconds; a target may never start
RENDER_PAUSE = 0.005  # seconds between two renderings, each of which takes less than one millisecond

logger = structlog.get_logger()


class RenderAhead:
    """Renders in its own thread until the program stops.

    Example: at 02:00 the schedules of most data sources fire, and the times of their next firings change. Without this
    thread, the next scrape would have to render all of them. The totals of the status page include every data source,
    so the next page would have to assess all of them.

    While targets start, which another replica has lost, their series come first.
    """

    def __init__(
        self,
        page: Exposition,
        status: StatusDocument,
        host: Host,
        stopping: Event,
        are_targets_starting: Callable[[], bool],
    ) -> None:
        self._page = page
        self._status = status
        self._stopping = stopping
        self._are_targets_starting = are_targets_starting
        self._thread = host.thread("render-ahead", self._run)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def _run(self) -> None:
        if self._stopping.wait(FIRST_PAGE_DELAY):
            return
        try:
            compile_templates()
            self._status.refresh_cache()
            while not self._stopping.wait(RENDER_INTERVAL):
                self._postpone()
                self._status.refresh_cache()
                for _ in self._page.prepare(RENDER_AHEAD):
                    if self._stopping.wait(RENDER_PAUSE):
                        return
        except Exception:
            logger.exception("rendering in advance failed, scrapes and pages render instead")

    def _postpone(self) -> None:
        """Wait until no target is starting."""
        waited = 0.0
        while waited < MAX_POSTPONED and self._are_targets_starting() and not self._stopping.wait(1.0):
            waited += 1.0
