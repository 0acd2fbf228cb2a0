"""Writes the state of all targets into a database, as after weeks of polls by replicas."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import cache
from typing import Any

import psycopg

from benchmarks.replicas.scale.fleet import saved_sources, target
from exporter.domain.units import DAY, MINUTE
from exporter.runtime import System
from exporter.store import codec, source_codec
from exporter.store.postgresql import DatabaseSettings, Session, Watchdog
from exporter.store.postgresql.schema import prepare

IDLE_INTERVAL = 5 * MINUTE  # the default: the last polls are spread over it
TABLES = ("target", "source", "job", "note")


def save_targets(url: str, targets: int, sources: int, now: float) -> None:
    """Write the state of all targets. COPY takes a fraction of the time of commits."""
    session = Session(DatabaseSettings(url), Watchdog(System()), lambda _: "")
    prepare(session)
    session.close()
    session.end()
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for number in range(targets):
            rows = _rows(number, sources, now)
            for table in TABLES:
                with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                    for row in rows[table]:
                        copy.write_row(row)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")  # as the server does by itself in the course of weeks


def _rows(number: int, sources: int, now: float) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of a target, by table."""
    rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    configured = target(number)
    key = configured.identity(configured.account or "")
    rows["target"].append((key, None, 1, 1))
    for each, (saved, history) in enumerate(saved_sources(number, sources, now)):
        source = str(saved.source.id)
        polled = replace(history, as_of=now - each / sources * IDLE_INTERVAL)
        rows["source"].append((key, source, codec.dump_totals(polled)))
        rows["job"] += [(key, source, id_, _dump_job(job)) for id_, job in history.jobs.items()]
        rows["note"] += [
            (key, "data_source", source, source_codec.dump_saved_source(saved)),
            (key, "name", f"data_source/{source}", saved.source.name),
            (key, "target", f"attempted/{source}", repr(now - DAY)),
        ]
    return rows


_dump_job = cache(codec.dump_job)
