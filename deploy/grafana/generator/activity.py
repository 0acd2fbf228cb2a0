"""Panels of the activity of the selected data sources: completed syncs and document changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.grafana.generator import panels, styles

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries

    from deploy.grafana.generator.queries import ServiceQueries


def completed_syncs(q: ServiceQueries) -> TimeSeries:
    """Return the panel of completed syncs by status."""
    completed = q.increase("sync_jobs_completed_total", "status")
    panel = panels.bar_chart(
        "Completed syncs by status",
        f"Syncs that completed in each interval, by status, from {q.prefix}_sync_jobs_completed_total.",
        panels.range_query(f"sum by (status) ({completed})", "{{status}}"),
    )
    return panels.with_colours(panel, styles.STATUS_COLOURS)


def document_changes(q: ServiceQueries) -> TimeSeries:
    """Return the panel of added, modified, deleted and failed documents."""
    kinds = [kind for kind in q.document_kinds if kind != "scanned"]
    queries = [panels.range_query(f"sum({q.increase(f'documents_{kind}_total')})", kind, kind) for kind in kinds]
    panel = panels.bar_chart(
        "Document changes",
        "Documents added, modified, deleted and failed in each interval, counted while syncs run, from "
        f"{q.prefix}_documents_*_total. Numbers that AWS does not report are not counted.",
        *queries,
    )
    return panels.with_colours(panel, styles.document_colours(kinds))
