"""The fault matrix: what can fail, in which operation, and the expected effect. Tests and docs/faults.md use it.

A cell is one fault of one operation of a service, on its first page or a later one, for one data source or outermost
container or for all.
Each cell injects the fault into one request, and then into every request for an hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from exporter.domain.service import Use
from exporter.errors import Reason
from tests.support.faults.cases import FAULTS, FaultCase
from tests.support.faults.operations import OPERATIONS, Operation
from tests.support.service_case import case_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Cell:
    """One fault of one operation, with a page and a scope."""

    fault: FaultCase
    operation: Operation
    page: int
    scope: str

    def __str__(self) -> str:
        """Return the cell's name, which selects it on pytest's command line."""
        page = "-later" if self.page > 1 else ""
        return f"{self.operation.service}-{self.fault.kind}-{self.operation.name}{page}-{self.scope}"

    @property
    def reason(self) -> Reason | None:
        """Return the reason of failed polls or discovery runs, which is `credentials` for all requests about a role."""
        if self.operation.effect == "credentials":
            return None if self._sts_reason is None else Reason.CREDENTIALS
        return self._sts_reason if self.operation.effect == "account" else self.fault.reason

    @property
    def _sts_reason(self) -> Reason | None:
        if "reason" in self.fault.sts:
            return Reason(self.fault.sts["reason"]) if self.fault.sts["reason"] else None
        return self.fault.reason

    @property
    def code(self) -> str:
        """Return the code label of the attempts."""
        is_sts = self.operation.effect in {"account", "credentials"}
        return self.fault.sts.get("code", self.fault.code) if is_sts else self.fault.code


def applies(fault: FaultCase, operation: Operation) -> bool:
    """Return whether a fault can occur in an operation."""
    if fault.kind in case_of(operation.service.name).absent_faults:
        return False
    if fault.of_jobs:
        return operation.use is Use.SYNC_JOBS
    if fault.of_tokens:
        return operation.is_paged
    return operation.is_list or not fault.of_lists


def cells() -> Iterator[Cell]:
    """Yield all cells of the matrix."""
    for operation, fault in product(OPERATIONS, FAULTS):
        if not applies(fault, operation):
            continue
        pages = (1, 2) if operation.is_paged and not fault.of_tokens else (1,)
        for page, scope in product(pages, ("one", "all") if operation.scope else ("all",)):
            yield Cell(fault, operation, page, scope)
