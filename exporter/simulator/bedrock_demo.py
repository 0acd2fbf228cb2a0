"""The fleet of Amazon Bedrock knowledge bases in the demo."""

from __future__ import annotations

from exporter.simulator.demo_sources import healthy, recurring
from exporter.simulator.document import SimulatedDocument
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedIndex
from exporter.simulator.units import MINUTE


def demo_fleet(now: float) -> Fleet:
    """Return a knowledge base with a healthy data source."""
    plan = healthy(400, crawl_seconds=100, index_seconds=40)
    source = recurring("handbook-webcrawler", "WEB", now, 5 * MINUTE, plan)
    source.status = "AVAILABLE"
    source.documents = [SimulatedDocument(f"https://handbook.example/{number}") for number in range(400)]
    return Fleet([SimulatedApplication("handbook", [SimulatedIndex("handbook", [source], kind="VECTOR")])])
