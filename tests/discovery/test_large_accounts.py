"""An account with more knowledge bases than a discovery run can list within its interval."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from exporter.discovery.loop import DiscoveryLoop
from exporter.providers.bedrock.service import BEDROCK
from exporter.runtime import System
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex
from tests.support.simulated_discovery import SimulatedDiscovery

if TYPE_CHECKING:
    from exporter.discovery.reconciler import RunResult
    from exporter.store import Store

RUNS = 2
MOST = 10_000  # the quota of an account
PAGES = 10
OF_A_TEAM = 100


def account(knowledge_bases: int) -> Fleet:
    """Return an account with a data source in each knowledge base. Names begin with one of a hundred teams."""
    indexes = [
        SimulatedIndex(f"team-{number % 100}-{number}", [SimulatedDataSource(f"hr-{number}")], kind="MANAGED")
        for number in range(knowledge_bases)
    ]
    return Fleet([SimulatedApplication("intranet", indexes)])


@pytest.mark.parametrize("knowledge_bases", [30, pytest.param(2500, marks=pytest.mark.trial)])
def test_a_run_that_outlasts_its_interval_continues_to_its_end(store: Store, knowledge_bases: int) -> None:
    """Each run lists every knowledge base once, and the next one follows. Only what changed is requested again."""
    discovery, host = SimulatedDiscovery(store, account(knowledge_bases), {}, service=BEDROCK), System()
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
        assert ended.wait(1800)
        loop.join(host.monotonic() + 60)
    assert all(result.complete for result in results)
    assert len(discovery.names) == knowledge_bases
    assert discovery.operations() == {
        "ListKnowledgeBases": RUNS * (1 + (knowledge_bases - 1) // BEDROCK.page_size),
        "ListDataSources": RUNS * knowledge_bases,
        "GetKnowledgeBase": knowledge_bases,
    }


def test_a_filter_by_name_narrows_an_account_before_anything_is_requested(store: Store) -> None:
    """Of 10,000 knowledge bases, only those of one team cause requests, and later only updated ones."""
    fleet = account(MOST)
    discovery = SimulatedDiscovery(store, fleet, {"include": [{"knowledge_base": "team-7-*"}]}, service=BEDROCK)
    with discovery.service:
        assert discovery.run().complete
        assert len(discovery.names) == OF_A_TEAM
        first = {"ListKnowledgeBases": PAGES, "ListDataSources": OF_A_TEAM, "GetKnowledgeBase": OF_A_TEAM}
        assert discovery.operations() == first
        for number in (7, 8):  # the second one is of another team
            fleet.applications[0].indexes[number].updated += 1
        assert discovery.run().complete
        assert discovery.operations() == {**first, "GetKnowledgeBase": 1}
