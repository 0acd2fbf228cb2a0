"""The CPU time of a PostgreSQL server for a beat, and for the commit of a data source."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.replicas.scale.fleet import saved_sources
from benchmarks.replicas.scale.server import SETTINGS, ServerMeter
from exporter.domain.replicas import Replica, TargetRow
from exporter.store.postgresql import leases
from tests.support.postgresql import PostgreSqlServer
from tests.support.stepped_replica import SteppedReplica, key, target

if TYPE_CHECKING:
    from exporter.store.postgresql.session import Transaction

BEATS, COMMITS = 100, 300
BATCH = 8  # data sources in one transaction


class Costs(NamedTuple):
    """The CPU milliseconds of the server for a beat, and for the commit of one data source among some."""

    beat: float
    source: float


def measure_costs(replicas: int, targets: int) -> Costs:
    """Measure with as many leases and rows of targets as in a cluster."""
    with PostgreSqlServer(SETTINGS) as server:
        url = server.create_database()
        with SteppedReplica(url, "measured", target(0)) as replica:
            replica.beat()
            replica.session.run(lambda transaction: _add_others(transaction, replicas, targets))
            meter = ServerMeter(server, url)
            beat = _measure_beats(meter, replica)
            source = _measure_commits(meter, replica)
            meter.connection.close()
    return Costs(beat, source)


def _add_others(transaction: Transaction, replicas: int, targets: int) -> None:
    """Add the leases of other replicas, each with all targets in its configuration, and the targets that they own."""
    keys = {key(number): "" for number in range(targets)}
    for number in range(1, replicas):
        leases.renew(transaction, Replica(str(number), str(number), targets=keys))
    for number in range(1, targets):
        leases.own(transaction, TargetRow(key(number), str(number % (replicas - 1) + 1), 1, 0), 0)


def _measure_beats(meter: ServerMeter, replica: SteppedReplica) -> float:
    began = meter.read().cpu
    for _ in range(BEATS):
        replica.coordinator.beat()
    return (meter.read().cpu - began) / BEATS * 1000


def _measure_commits(meter: ServerMeter, replica: SteppedReplica) -> float:
    """Commit a later poll of some data sources each time."""
    partition = replica.partition(0)
    histories = {str(saved.source.id): history for saved, history in saved_sources(0, BATCH, 0.0)}
    began = meter.read().cpu
    for number in range(COMMITS):
        partition.commit({id_: replace(each, as_of=each.as_of + number) for id_, each in histories.items()})
    return (meter.read().cpu - began) / COMMITS / BATCH * 1000
