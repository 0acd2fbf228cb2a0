"""What the data sources that are chosen have done: syncs that ended, documents that came and went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.grafana.generator import looks, panels
from deploy.grafana.generator.queries import risen

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.timeseries import Panel as Lines


def ended() -> Lines:
    """Draw the syncs that ended."""
    ended = risen("qbusiness_sync_jobs_completed_total", by="status")
    panel = panels.bars(
        "Syncs that ended",
        "Syncs that ended in each interval, by status, from qbusiness_sync_jobs_completed_total.",
        panels.over_time(f"sum by (status) ({ended})", "{{status}}"),
    )
    return panels.coloured(panel, looks.STATUS_COLOURS)


def documents(title: str) -> Lines:
    """Draw the documents that came, changed, went and failed."""
    kinds = [kind for kind in looks.DOCUMENT_COLOURS if kind != "scanned"]
    queries = [panels.over_time(f"sum({risen(f'qbusiness_documents_{kind}_total')})", kind, kind) for kind in kinds]
    panel = panels.bars(
        title,
        "Documents added, modified, deleted and failed in each interval, as syncs progress, from "
        "qbusiness_documents_*_total. What AWS does not say of a sync is not counted.",
        *queries,
    )
    return panels.coloured(panel, looks.DOCUMENT_COLOURS)
