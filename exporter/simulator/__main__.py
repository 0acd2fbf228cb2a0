"""`python -m exporter.simulator`: serve the demo's fleet alone, until Ctrl-C."""

from __future__ import annotations

import contextlib
import threading
import time

from exporter.simulator.qbusiness_demo import demo_fleet
from exporter.simulator.server import SimulatedEndpoint


def main() -> None:
    """Serve the demo's fleet and print its URL."""
    with SimulatedEndpoint(demo_fleet(time.time())) as service, contextlib.suppress(KeyboardInterrupt):
        print(service.url, flush=True)  # noqa: T201 (the address is its output)
        threading.Event().wait()


if __name__ == "__main__":
    main()
