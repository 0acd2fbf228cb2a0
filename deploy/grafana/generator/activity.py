"""Panels of the activity of the selected data sources: completed syncs and document changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.grafana.generator import panels, styles
from deploy.grafana.generator.queries import increase

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries


def completed_syncs() -> TimeSeries:
    """Return the panel of completed syncs by status."""
    completed = increase("qbusiness_sync_jobs_completed_total", by="status")
    panel = panels.bar_chart(
        "Completed syncs by status",
        "Syncs that completed in each interval, by status, from qbusiness_sync_jobs_completed_total.",
        panels.range_query(f"sum by (status) ({completed})", "{{status}}"),
    )
    return panels.with_colours(panel, styles.STATUS_COLOURS)


def document_changes() -> TimeSeries:
    """Return the panel of added, modified, deleted and failed documents."""
    kinds = [kind for kind in styles.DOCUMENT_COLOURS if kind != "scanned"]
    queries = [
        panels.range_query(f"sum({increase(f'qbusiness_documents_{kind}_total')})", kind, kind) for kind in kinds
    ]
    panel = panels.bar_chart(
        "Document changes",
        "Documents added, modified, deleted and failed in each interval, counted while syncs run, from "
        "qbusiness_documents_*_total. Numbers that AWS does not report are not counted.",
        *queries,
    )
    return panels.with_colours(panel, styles.DOCUMENT_COLOURS)
