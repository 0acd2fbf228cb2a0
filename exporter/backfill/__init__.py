"""Backfill: turns past sync jobs into the samples that scrapes at regular steps would have collected."""

from exporter.backfill.replay import Replay
from exporter.backfill.spool import Spool
from exporter.backfill.timeline import Timeline

__all__ = ["Replay", "Spool", "Timeline"]
