"""Defects of Amazon Kendra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.providers.kendra.parsing import _Capacity
from exporter.providers.kendra.provider import Kendra

if TYPE_CHECKING:
    import pytest


def takes_additional_units_for_all(patch: pytest.MonkeyPatch) -> None:
    """Multiply the capacity of an edition by its additional units only, without the unit that it always has."""
    patch.setattr(_Capacity, "limits", lambda self, units: (self.documents * units, self.text_bytes * units))


def filters_jobs_by_status(patch: pytest.MonkeyPatch) -> None:
    """Request only the jobs that succeeded."""
    original: Any = Kendra.sync_jobs

    def sync_jobs(self: Any, source: Any, **filters: Any) -> Any:
        return original(self, source, **{**filters, "status": "SUCCEEDED"})

    patch.setattr(Kendra, "sync_jobs", sync_jobs)


DEFECTS = (takes_additional_units_for_all, filters_jobs_by_status)
