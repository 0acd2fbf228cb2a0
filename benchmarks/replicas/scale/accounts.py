"""The simulated accounts of all targets, served over HTTP by a separate process with one thread.

With a thread for each connection of each replica, there would be thousands, which switch all the time.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.replicas.scale.fleet import make_fleet
from exporter.simulator.service import SimulatedService
from exporter.simulator.wire import Request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from benchmarks.replicas.scale.fleet import ScaleSize

HOST = "127.0.0.1"


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
    services = [SimulatedService(make_fleet(number, size.sources, now)) for number in range(size.targets)]
    asyncio.run(_serve_all(services, pipe))


async def _serve_all(services: list[SimulatedService], pipe: Connection) -> None:
    servers = [await asyncio.start_server(partial(_respond, service), HOST) for service in services]
    pipe.send([f"http://{HOST}:{server.sockets[0].getsockname()[1]}" for server in servers])
    await asyncio.Event().wait()  # until the process is terminated


async def _respond(service: SimulatedService, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Respond to the requests of a connection until the client closes it."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            request = await _read(reader)
            response = service.respond(request)
            headers = {**response.headers, "Content-Length": str(len(response.body))}
            lines = [f"HTTP/1.1 {response.status} -", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
            writer.write("\r\n".join(lines).encode("latin-1") + response.body)
            await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split()
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    return Request.parse(method, target, headers, await reader.readexactly(int(headers.get("content-length", 0))))
