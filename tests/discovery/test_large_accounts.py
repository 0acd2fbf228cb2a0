"""An account with more knowledge bases than a discovery run can list within its interval."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from exporter.discovery.loop import DiscoveryLoop
from exporter.providers.bedrock.service import BEDROCK
from exporter.runtime import System
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex
from tests.support.simulated_discovery import SimulatedDiscovery

if TYPE_CHECKING:
    from exporter.discovery.reconciler import RunResult
    from exporter.store import Store

KNOWLEDGE_BASES, RUNS = 30, 2


def account() -> Fleet:
    """Return an account with a data source in each knowledge base."""
    return Fleet(
        [
            SimulatedApplication(
                "intranet",
                [
                    SimulatedIndex(f"kb-{number}", [SimulatedDataSource(f"hr-{number}")], kind="MANAGED")
                    for number in range(KNOWLEDGE_BASES)
                ],
            )
        ]
    )


def test_a_run_that_outlasts_its_interval_continues_to_its_end(store: Store) -> None:
    """Each run lists every knowledge base once, and the next one follows. Only what changed is requested again."""
    discovery, host = SimulatedDiscovery(store, account(), {}, service=BEDROCK), System()
    stopping, ended, results = host.event(), host.event(), []

    def run() -> RunResult:
        results.append(discovery.run())
        if len(results) == RUNS:
            stopping.set()
            ended.set()
        return results[-1]

    loop = DiscoveryLoop(run, 0.001, 60.0, host, Random(1), stopping)
    with discovery.service:
        loop.start()
        assert ended.wait(60)
        loop.join(host.monotonic() + 60)
    assert all(result.complete for result in results)
    assert len(discovery.names) == KNOWLEDGE_BASES
    assert discovery.operations() == {
        "ListKnowledgeBases": RUNS,
        "ListDataSources": RUNS * KNOWLEDGE_BASES,
        "GetKnowledgeBase": KNOWLEDGE_BASES,
    }
