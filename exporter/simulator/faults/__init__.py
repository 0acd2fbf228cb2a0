"""Faults on demand: each changes or replaces a response of the simulated service."""

from exporter.simulator.faults.catalogue import KINDS, Faults, apply
from exporter.simulator.faults.edits import EDITS, JOB_EDITS, result_key
from exporter.simulator.faults.fault import Fault
from exporter.simulator.faults.responses import ANSWERS

__all__ = ["ANSWERS", "EDITS", "JOB_EDITS", "KINDS", "Fault", "Faults", "apply", "result_key"]
