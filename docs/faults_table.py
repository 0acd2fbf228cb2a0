"""Generate docs/faults.md from the declarations of the fault matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.faults.cases import CONNECTION_FAULTS, FAULTS
from tests.support.faults.matrix import cells
from tests.support.faults.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.support.faults.cases import ConnectionFault, FaultCase
    from tests.support.faults.operations import Operation

_INTRODUCTION = """\
# Faults

Written by `make generate` from `tests/support/faults/`. `make test-faults` runs every cell of the matrix. A
run is the whole program, including boto3, on virtual time, with real HTTP requests to the simulated service.

A cell is one fault of one operation of a service. The fault affects the first page or a later one. It affects one data
source, one outermost container, or everything. Each cell injects the fault into one request, and then into every
request for one hour. Meanwhile sync jobs start, make progress and end. Each cell asserts that:

- the metric in the tables below reports the fault, and `qbusiness_exporter_api_requests_total` counts the requests by
  their code;
- the series in the column "unchanged" do not change, and unaffected data sources are polled on time;
- no counter ever decreases;
- the exporter recovers within the time in the table;
- at the end, jobs, documents, durations and the last success match the values that the simulator expects.
"""
_APPLICABILITY = """\
Not every fault applies to every operation. Faults in entries or page tokens apply to list operations. Faults in jobs
apply to the list of sync jobs. Faults in page tokens affect all pages at once. A fault can be limited to one data
source or outermost container only for an operation whose request names it.

The names of metrics begin with the prefix of the service in place of `…`. Roles are assumed by the same code for all
services, so `AssumeRole` is tested with one of them.
"""
_RECOVERY = """\
The exporter retries a refused request like any other failure. The exception is the description of a data source
(`GetDataSource`, `DescribeDataSource`), which it does not retry for 15 minutes. Discovery runs every
`discovery.interval`, and sooner after a failed run ([discovery](discovery.md)).
"""
_LABELS = """\
`reason` is the label of `qbusiness_exporter_poll_failures_total` where the fault affects polls. `code` is the label of
`qbusiness_exporter_api_requests_total`. A fault without a reason causes no failure.
"""


_CONNECTION = """\
## Connection and credentials

These faults affect every operation and all data sources, for 15 minutes and for one hour. Each of them sets
`qbusiness_poll_success`, `qbusiness_exporter_target_up` and `qbusiness_exporter_discovery_success` to 0. No other
series of data sources and indexes changes. After the fault ends, polls succeed within 15 minutes, and discovery
succeeds with its next run.
"""


def faults_page() -> str:
    """Return the text of docs/faults.md."""
    count = len(list(cells()))
    kinds: dict[tuple[object, ...], list[Operation]] = {}
    for operation in OPERATIONS:
        kinds.setdefault((operation.use, operation.effect), []).append(operation)
    operations = _table(("operations", "cells", "reported by", "unchanged", "recovery"), map(_kind, kinds.values()))
    faults = _table(("fault", "reason", "code", "in one request", "for one hour"), map(_fault, FAULTS))
    total = f"{len(FAULTS)} faults of {len(OPERATIONS)} operations make {count} cells."
    parts = (_INTRODUCTION, total, "", _APPLICABILITY, "## Operations", "", *operations, "", _RECOVERY)
    connection = _table(("fault", "reason", "code"), map(_connection_fault, CONNECTION_FAULTS))
    return "\n".join([*parts, "## Faults of responses", "", _LABELS, *faults, "", _CONNECTION, *connection, ""])


def _kind(operations: Sequence[Operation]) -> tuple[str, ...]:
    """Return the row of the operations that serve the same purpose, one of each service."""
    services: dict[str, list[str]] = {}
    for operation in operations:
        services.setdefault(operation.name, []).append(operation.service.name)
    names = ", ".join(f"`{name}` ({', '.join(found)})" for name, found in services.items())
    count, first = sum(cell.operation in operations for cell in cells()), operations[0]
    return names, str(count), first.reported_by, first.unchanged, first.recovery


def _fault(fault: FaultCase) -> tuple[str, ...]:
    if fault.reason is None:
        return fault.description, "", f"`{fault.code}`", fault.note, fault.note
    if fault.is_retried:
        once = "the SDK retries, and the retry succeeds"
    elif fault.is_absorbed_once:
        once = "the listing starts over from the first page and succeeds"
    else:
        once = "one poll or discovery run fails, and the next one succeeds"
    return fault.description, f"`{fault.reason}`", f"`{fault.code}`", once, "fails and is reported until the fault ends"


def _connection_fault(fault: ConnectionFault) -> tuple[str, ...]:
    return fault.description, f"`{fault.reason}`", f"`{fault.code}`"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterable[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(row)} |"
