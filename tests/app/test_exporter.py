"""The exporter as an object in a process that continues without it."""

from __future__ import annotations

import gc
import weakref

from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import config_for, fleet_of
from tests.support.running_exporter import RunningExporter


def test_a_stopped_exporter_releases_its_memory() -> None:
    """The start keeps the garbage collector away from restored objects, and the stop ends that."""
    with SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"))) as service:
        program = RunningExporter(config_for(service, ":memory:"))
        with program:
            program.until_ready()
        exporter = weakref.ref(program.exporter)
        del program
        gc.collect()
        assert exporter() is None
