"""Injected faults: each changes or replaces a response of the simulated service."""

from exporter.simulator.faults.catalogue import FAULT_KINDS, ActiveFaults, apply
from exporter.simulator.faults.edits import JOB_EDITS, LIST_EDITS
from exporter.simulator.faults.fault import Fault
from exporter.simulator.faults.responses import RESPONSE_FAULTS

__all__ = ["FAULT_KINDS", "JOB_EDITS", "LIST_EDITS", "RESPONSE_FAULTS", "ActiveFaults", "Fault", "apply"]
