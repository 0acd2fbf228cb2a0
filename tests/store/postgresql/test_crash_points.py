"""A replica that dies, or loses its connection, at each message that a commit exchanges with the database."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import pytest

from exporter.store.postgresql.errors import UnavailableError
from tests.support.stalling_proxy import StallingProxy
from tests.support.state_files import KEY, make_history
from tests.support.stepped_replica import SteppedReplica, target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.counting.source_history import SourceHistory

OTHER = "another"
BEFORE, AFTER = 2, 5  # jobs of both data sources


class CommitRun:
    """An owner behind a proxy that cuts the connection at one message of a commit."""

    def __init__(self, url: str, proxy: StallingProxy, running: ExitStack, name: str) -> None:
        self._proxy = proxy
        self.replica = running.enter_context(SteppedReplica(_through(url, proxy), name, target(1)))
        end_leases(url)
        self.replica.beat()
        self.replica.partition().commit({KEY: make_history(BEFORE), OTHER: make_history(BEFORE)})

    def commit(self, messages: int) -> bool:
        """Commit two data sources; return whether that took more messages, and the connection was cut."""
        self._proxy.cut_after(messages)
        try:
            self.replica.partition().commit({KEY: make_history(AFTER), OTHER: make_history(AFTER)})
        except UnavailableError:
            assert self._proxy.is_cut
        is_cut = self._proxy.is_cut
        self._proxy.resume()
        return is_cut


def _through(url: str, proxy: StallingProxy) -> str:
    return url.replace(f":{urlsplit(url).port}/", f":{proxy.port}/")


def end_leases(url: str) -> None:
    """End the leases of all replicas, so that the next one that sends a beat acquires all targets."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE replica SET until = clock_timestamp() - interval '1 ms'")


def crash_points(url: str) -> Iterator[tuple[CommitRun, bool]]:
    """Yield a run for each message of a commit, and a last one that is not cut."""
    for messages in itertools.count():
        with StallingProxy(urlsplit(url).port or 0) as proxy, ExitStack() as running:
            run = CommitRun(url, proxy, running, f"r{messages}")
            is_cut = run.commit(messages)
            yield run, is_cut
        if not is_cut:
            return


def saved_by(url: str) -> list[SourceHistory | None]:
    """Return the histories of both data sources that the next owner finds."""
    end_leases(url)
    with SteppedReplica(url, "next", target(1)) as successor:
        successor.beat()
        return [successor.partition().history(key) for key in (KEY, OTHER)]


@pytest.mark.trial
def test_a_replica_that_dies_within_a_commit_leaves_all_of_it_or_nothing(database: str) -> None:
    """Both happen: before and after the message that commits."""
    found = [saved_by(database) for _, is_cut in crash_points(database) if is_cut]
    whole = [[make_history(jobs)] * 2 for jobs in (BEFORE, AFTER)]
    assert [histories for histories in found if histories not in whole] == []
    assert [histories for histories in whole if histories not in found] == []


@pytest.mark.trial
def test_a_replica_that_loses_its_connection_within_a_commit_repeats_it(database: str) -> None:
    """It does not know whether the commit arrived, and writes the same rows again."""
    points = 0
    for run, is_cut in crash_points(database):
        run.replica.beat()
        run.replica.commit_all()
        assert not run.replica.partition().has_unwritten()
        assert saved_by(database) == [make_history(AFTER)] * 2
        points += is_cut
    assert points > 3
