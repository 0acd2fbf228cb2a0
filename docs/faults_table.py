"""The page about faults, from the declarations that the fault matrix is tried by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.faults.matrix import FAULTS, OPERATIONS, WAYS, cells, makes_sense

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.faults.matrix import Fault, Operation

_INTRODUCTION = """\
# Faults

Written by `make docs` from `tests/support/faults/matrix.py`, which `make test-faults` tries cell by cell: the whole
program on virtual time, boto3 and all, against the simulated service over real HTTP.

A cell is one fault of one operation, on its first page or on a later one, for one data source or application or for
all. In each the fault befalls one request, and after that every request of an hour, while sync jobs begin, work and
end. Each cell sees that

- the metric below says so, and the attempts are counted by their code in `qbusiness_exporter_api_requests_total`;
- what is to stay is unchanged, series by series, and what is not concerned is polled on time;
- no counter ever falls;
- all is well again in the time below;
- in the end jobs, documents, durations and the last success are what an honest observer must have counted.
"""
_RULE = """\
Not every fault makes sense everywhere. What changes entries or tokens befalls the operations that list, what changes
jobs those of `ListDataSourceSyncJobs`, and tokens go round on all pages at once. Only operations that name a data
source or an application can be befallen for one of them.
"""
_WHERE = """\
A refusal is asked again like any failure, but for `GetDataSource`, which is left in peace for 15 minutes. Rounds of
discovery come every `discovery.interval`, and sooner after one that failed ([Finding data sources](discovery.md)).
"""
_WHAT = """\
`reason` is the label of `qbusiness_exporter_poll_failures_total`, where polls are concerned, and `code` that of
`qbusiness_exporter_api_requests_total`. Where no reason stands nothing fails.
"""


_WAYS = """\
## The way to AWS

These befall every operation and everything at once, for a moment and for an hour, and the same is seen of each:
`qbusiness_poll_success`, `qbusiness_target_up` and `qbusiness_exporter_discovery_success` are 0, and nothing else that
is said of data sources and indexes changes. Polls work again 15 minutes after it is over at most, and discovery with
its next round.
"""


def faults_page() -> str:
    """Make the page."""
    count = len(list(cells()))
    places = _table(
        ("operation", "faults", "what says so", "what stays", "when it recovers"), map(_operation, OPERATIONS)
    )
    faults = _table(("fault", "reason", "code", "for a moment", "for an hour"), map(_fault, FAULTS))
    total = (
        f"{len(FAULTS)} faults of {len(OPERATIONS)} operations make {count} cells, each for a moment and for an hour."
    )
    parts = (_INTRODUCTION, total, "", _RULE, "## Where it happens", "", *places, "", _WHERE)
    ways = _table(("fault", "reason", "code"), ((way.what, f"`{way.reason}`", f"`{way.code}`") for way in WAYS))
    return "\n".join([*parts, "## What happens", "", _WHAT, *faults, "", _WAYS, *ways, ""])


def _operation(operation: Operation) -> tuple[str, ...]:
    faults = sum(makes_sense(fault, operation) for fault in FAULTS)
    return f"`{operation.name}`", str(faults), operation.shows, operation.stays, operation.recovers


def _fault(fault: Fault) -> tuple[str, ...]:
    if fault.reason is None:
        return fault.what, "", f"`{fault.code}`", fault.note, fault.note
    if fault.tries:
        once = "the SDK asks again, and is answered"
    elif fault.once_is_absorbed:
        once = "read once more from the first page"
    else:
        once = "one poll or round fails, and the next works"
    return fault.what, f"`{fault.reason}`", f"`{fault.code}`", once, "fails until it is over, and says so all the time"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterable[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(row)} |"
