"""The past of a data source, told from its sync jobs: the same families that a scrape at every step would have had."""

from exporter.backfill.replay import Replay, Timeline
from exporter.backfill.spool import Spool

__all__ = ["Replay", "Spool", "Timeline"]
