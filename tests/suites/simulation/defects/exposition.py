"""Defects of the exposition."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from exporter.app.first_pass import FirstPass
from exporter.app.target import Target
from exporter.exposition.chunks import RenderedChunks
from exporter.metrics import FamilyFilter, collector
from exporter.metrics.families import optional_sample
from exporter.providers.qbusiness.service import QBUSINESS

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def exposes_part_of_a_source(patch: pytest.MonkeyPatch) -> None:
    """Leave families out of the change of a data source."""
    original: Any = RenderedChunks.put

    def put(self: Any, key: str, families: Any) -> None:
        some = dict(list(families.items())[:-12]) if self._chunks and len(families) > 20 else families
        original(self, key, some)

    patch.setattr(RenderedChunks, "put", put)


def revokes_readiness(patch: pytest.MonkeyPatch) -> None:
    """Report not ready during an outage after the first pass."""
    original: Any = Target.unready

    def unready(self: Any) -> str | None:
        return original(self) or (None if self.reachability.is_up else "down")

    patch.setattr(Target, "unready", unready)
    patch.setattr(FirstPass, "unready", FirstPass._not_yet_ready)


def shortens_the_window(patch: pytest.MonkeyPatch) -> None:
    """Leave out the oldest hour of polling.window."""

    def samples(original: Any, view: Any) -> Any:
        return original(replace(view, window=view.window - 3600.0))

    _replace_samples(patch, "qbusiness_sync_jobs", samples)


def treats_stopping_jobs_as_ended(patch: pytest.MonkeyPatch) -> None:
    """Leave STOPPING jobs out of the running ones."""

    def samples(_original: Any, view: Any) -> Any:
        return optional_sample(sum(job.status != "STOPPING" for job in view.running))

    _replace_samples(patch, "qbusiness_sync_running", samples)


def reports_indexing_jobs_as_syncing(patch: pytest.MonkeyPatch) -> None:
    """Count SYNCING_INDEXING jobs of the window as SYNCING."""

    def samples(original: Any, view: Any) -> Any:
        counts = dict(original(view))
        if counts:
            counts["SYNCING",] += counts["SYNCING_INDEXING",]
            counts["SYNCING_INDEXING",] = 0
        return counts.items()

    _replace_samples(patch, "qbusiness_sync_jobs", samples)


def ends_failures_at_an_aborted_job(patch: pytest.MonkeyPatch) -> None:
    """Start to count consecutive failures again after an ABORTED job."""

    def samples(original: Any, view: Any) -> Any:
        last = view.last_completed
        return [((), 0)] if last and last.status == "ABORTED" else original(view)

    _replace_samples(patch, "qbusiness_consecutive_failed_syncs", samples)


def ignores_aborted_jobs_without_content(patch: pytest.MonkeyPatch) -> None:
    """Count the syncs without content as if no job was ABORTED."""

    def samples(original: Any, view: Any) -> Any:
        history = view.history
        if history is None:
            return original(view)
        jobs = {id_: tracked for id_, tracked in history.jobs.items() if tracked.job.status != "ABORTED"}
        return original(replace(view, snapshot=replace(view.snapshot, history=replace(history, jobs=jobs))))

    _replace_samples(patch, "qbusiness_consecutive_syncs_without_content", samples)


def _replace_samples(patch: pytest.MonkeyPatch, name: str, samples: Callable[[Any, Any], Any]) -> None:
    """Replace the samples of a family. `samples` gets the original function and a SourceView."""

    def replaced(family: Any) -> Any:
        return replace(family, samples=partial(samples, family.samples)) if family.name == name else family

    assert any(family.name == name for family in collector.source_families(QBUSINESS))
    parts = tuple(tuple(map(replaced, part)) for part in collector._bound_parts(QBUSINESS, FamilyFilter()))
    patch.setattr(collector, "_bound_parts", lambda _service, _exposed: parts)


DEFECTS = (
    exposes_part_of_a_source,
    revokes_readiness,
    shortens_the_window,
    treats_stopping_jobs_as_ended,
    reports_indexing_jobs_as_syncing,
    ends_failures_at_an_aborted_job,
    ignores_aborted_jobs_without_content,
)
