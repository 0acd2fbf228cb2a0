"""The end of the process: its CPU time, and signals during it."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import NEW_INTERPRETER, config_for, fleet_of, serve

if TYPE_CHECKING:
    from tests.support.harness import Program

USER_TIME, SYSTEM_TIME = 14, 15  # fields of /proc/PID/stat, which counts from 1


def cpu_seconds(program: Program) -> float:
    """Return the CPU time of a running process."""
    fields = (
        Path(f"/proc/{program.process.pid}/stat").read_text().rpartition(")")[2].split()
    )  # the name of the process is field 2
    return sum(int(fields[number - 3]) for number in (USER_TIME, SYSTEM_TIME)) / os.sysconf("SC_CLK_TCK")


def cpu_seconds_of_ended_children() -> float:
    """Return the CPU time of the processes that this one has started, and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_the_end_takes_little_cpu_time(tmp_path: Path) -> None:
    """The kernel returns the memory at once, without a traversal.

    A last garbage collection would take as long as a fifth of the start, and seconds with many data sources.
    """
    with SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"))) as service:
        program = serve(tmp_path, config_for(service, ":memory:", interval="1h", idle_interval="1h"))
        program.command = NEW_INTERPRETER
        with program:
            program.until_ready()
            before = cpu_seconds_of_ended_children()
            running = cpu_seconds(program)
            assert program.stop() == 0
            assert cpu_seconds_of_ended_children() - before - running < running / 10


def test_no_further_signal_replaces_the_exit_code(tmp_path: Path) -> None:
    """A deployment may reload and stop the exporter at the same time, and a terminal may send Ctrl-C twice."""
    with SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"))) as service:
        program = serve(tmp_path, config_for(service, ":memory:"))
        program.command = NEW_INTERPRETER
        with program:
            while program.process.poll() is None:
                program.process.send_signal(signal.SIGTERM)
                program.process.send_signal(signal.SIGHUP)
        assert program.process.poll() == 0
