"""Writes the state of all targets into a database, as after weeks of polls by replicas."""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

import structlog

from benchmarks.replicas.scale.fleet import saved_sources, target
from exporter.domain.replicas import Replica
from exporter.domain.units import MINUTE
from exporter.runtime import System
from exporter.store.postgresql import DatabaseSettings, Session, SharedState, Watchdog
from tests.support.harness import eventually

BATCH = 10  # the number of targets that one process writes before it ends
IDLE_INTERVAL = 5 * MINUTE  # the default: the last polls are spread over it


def save_targets(url: str, targets: int, sources: int, now: float) -> None:
    """Write the state of all targets, in as many processes as there are processors."""
    batches = [range(first, min(first + BATCH, targets)) for first in range(0, targets, BATCH)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context) as pool:
        list(pool.map(partial(_save, url, sources, now), batches))


def _save(url: str, sources: int, now: float, numbers: range) -> None:
    """Write the state of some targets as their owner, and hand them over."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    host, targets = System(), [target(number) for number in numbers]
    session = Session(DatabaseSettings(url), Watchdog(host), lambda _: "")
    state = SharedState(session, Replica(f"saves {numbers}", "benchmark"), host, on_write_failure=_fail)
    state.configure(targets)
    state.start(lambda: None)
    eventually(lambda: len(state.owned(targets)) == len(targets))
    for number, store in zip(numbers, state.owned(targets).values(), strict=True):
        polled = time.time()
        histories = {}
        for each, (saved, history) in enumerate(saved_sources(number, sources, now)):
            store.save_source(str(saved.source.id), saved)
            histories[str(saved.source.id)] = replace(history, as_of=polled - each / sources * IDLE_INTERVAL)
        store.commit(histories)
    state.close()


def _fail() -> None:
    raise AssertionError("a write has failed")
