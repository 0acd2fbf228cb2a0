"""The simulated accounts of all targets, served over HTTP by a separate process."""

from __future__ import annotations

import multiprocessing
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from benchmarks.replicas.scale.fleet import make_fleet
from exporter.simulator.server import SimulatedEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from benchmarks.replicas.scale.fleet import ScaleSize


@contextmanager
def serve_accounts(size: ScaleSize, now: float) -> Iterator[list[str]]:
    """Run the process; yield the address of each account."""
    context = multiprocessing.get_context("spawn")
    pipe, remote_end = context.Pipe()
    process = context.Process(target=_serve, args=(remote_end, size, now), daemon=True)
    process.start()
    try:
        yield pipe.recv()
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection, size: ScaleSize, now: float) -> None:
    with ExitStack() as running:
        services = [SimulatedEndpoint(make_fleet(number, size.sources, now)) for number in range(size.targets)]
        for service in services:
            running.enter_context(service)
        pipe.send([service.url for service in services])
        pipe.recv()  # until the process is terminated
