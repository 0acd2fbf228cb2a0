"""Defects of a provider, and of what only one service needs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from msgspec import structs

from exporter.domain.model import SyncJobStatus
from exporter.polling.explainer import Explainer
from exporter.providers.bedrock.parsing import parse_explained
from exporter.providers.bedrock.time_filter import started_within
from exporter.providers.kendra.parsing import _Capacity
from exporter.providers.kendra.provider import Kendra

if TYPE_CHECKING:
    import pytest


# Amazon Kendra.


def takes_additional_units_for_all(patch: pytest.MonkeyPatch) -> None:
    """Multiply the capacity of an edition by its additional units only, without the unit that it always has."""
    patch.setattr(_Capacity, "limits", lambda self, units: (self.documents * units, self.text_bytes * units))


def filters_jobs_of_kendra_by_status(patch: pytest.MonkeyPatch) -> None:
    """Request only the jobs that succeeded."""
    original: Any = Kendra.sync_jobs

    def sync_jobs(self: Any, source: Any, **filters: Any) -> Any:
        return original(self, source, **{**filters, "status": "SUCCEEDED"})

    patch.setattr(Kendra, "sync_jobs", sync_jobs)


# Amazon Bedrock.


def takes_complete_for_succeeded(patch: pytest.MonkeyPatch) -> None:
    """Count a COMPLETE job as succeeded, whatever its reasons and failed documents."""

    def always_succeeded(raw: Any, *arguments: Any) -> Any:
        job = parse_explained(raw, *arguments)
        return structs.replace(job, status=SyncJobStatus.SUCCEEDED) if raw["status"] == "COMPLETE" else job

    patch.setattr("exporter.providers.bedrock.provider.parse_explained", always_succeeded)


def never_asks_for_outcomes(patch: pytest.MonkeyPatch) -> None:
    """Count each job as it is listed, with the worst possible outcome."""
    patch.setattr(Explainer, "explain", lambda _self, _source, _history, data: data)


def reads_one_page_of_ingestion_jobs(patch: pytest.MonkeyPatch) -> None:
    """Read no further than the first page of a listing, in any order."""

    def first_page(pages: Any, since: Any, until: Any) -> Any:
        for page in started_within(pages, since, until):
            yield replace(page, has_more=False)
            return

    patch.setattr("exporter.providers.bedrock.provider.started_within", first_page)


KENDRA_DEFECTS = (takes_additional_units_for_all, filters_jobs_of_kendra_by_status)
BEDROCK_DEFECTS = (takes_complete_for_succeeded, never_asks_for_outcomes, reads_one_page_of_ingestion_jobs)
