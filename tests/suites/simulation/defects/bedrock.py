"""Defects of Amazon Bedrock knowledge bases, and of what only they need."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from msgspec import structs

from exporter.domain.model import SyncJobStatus
from exporter.polling.explainer import Explainer
from exporter.providers.bedrock.parsing import parse_explained
from exporter.providers.bedrock.time_filter import started_within

if TYPE_CHECKING:
    import pytest


def takes_complete_for_succeeded(patch: pytest.MonkeyPatch) -> None:
    """Count a COMPLETE job as succeeded, whatever its reasons and failed documents."""

    def always_succeeded(raw: Any, *arguments: Any) -> Any:
        job = parse_explained(raw, *arguments)
        return structs.replace(job, status=SyncJobStatus.SUCCEEDED) if raw["status"] == "COMPLETE" else job

    patch.setattr("exporter.providers.bedrock.provider.parse_explained", always_succeeded)


def never_requests_outcomes(patch: pytest.MonkeyPatch) -> None:
    """Count each job as it is listed, with the worst possible outcome."""
    patch.setattr(Explainer, "explain", lambda _self, _source, _history, data: data)


def reads_one_page_of_ingestion_jobs(patch: pytest.MonkeyPatch) -> None:
    """Read no further than the first page of a listing, in any order."""

    def first_page(pages: Any, since: Any, until: Any) -> Any:
        for page in started_within(pages, since, until):
            yield replace(page, has_more=False)
            return

    patch.setattr("exporter.providers.bedrock.provider.started_within", first_page)


DEFECTS = (takes_complete_for_succeeded, never_requests_outcomes, reads_one_page_of_ingestion_jobs)
