"""The log of discovery runs: the data sources that they found, and filters that are probably mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from exporter.target.source_log import source_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.domain.model import DataSource
    from exporter.target.context import TargetContext

logger = structlog.get_logger()


class RunLog:
    """Logs the runs of one target."""

    def __init__(self, context: TargetContext) -> None:
        self._context = context
        self._log = logger.bind(target=context.target)
        self.is_empty = False
        """Whether the last complete run has left the target without data sources."""

    def added(self, sources: Sequence[DataSource], *, is_first: bool) -> None:
        """Log the sources that a run has added; for the first run, log only their number."""
        if not is_first:
            for source in sources:
                self._log.info("data source found", **source_fields(source))
        elif sources:
            self._log.info("data sources found", count=len(sources))

    def emptiness(self, *, is_empty: bool, filters: Sequence[str], listed: int) -> None:
        """Log a warning when the target becomes empty, because then nothing fails and nothing is monitored."""
        was_empty, self.is_empty = self.is_empty, is_empty
        if is_empty and not was_empty:
            location = self._context.location.labels
            self._log.warning(
                "no data sources to watch",
                account=location.account or "unknown",
                region=location.region,
                filters=filters,
                listed=listed,
            )

    def unmatched_filters(self, names: Iterable[str], *, is_complete: bool) -> None:
        """Log a warning for each filter that matches nothing."""
        for name in names:
            self._log.warning("discovery filter matches nothing", filter=name, discovery_complete=is_complete)
