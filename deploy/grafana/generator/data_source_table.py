"""The table of all data sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.grafana.generator import styles
from deploy.grafana.generator.links import TO_STATUS_PAGE, DashboardSet
from deploy.grafana.generator.tables import Column, TableContent, table_panel, width_of

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.table import Panel

    from deploy.grafana.generator.queries import ServiceQueries

_LAST = "last_completed_sync_"
_GAP = "data_source_expected_sync_gap_seconds"
_NEXT = "data_source_next_scheduled_sync_timestamp_seconds"


def all_data_sources(q: ServiceQueries) -> Panel:
    """Return the table of all selected data sources."""
    statuses = styles.text_mappings(styles.STATUS_COLOURS)
    root, next_sync = q.service.root, q.has(_NEXT)
    return table_panel(
        "All data sources",
        "The state of each data source at its last successful poll. Cells are empty if there is no value or AWS does "
        "not report it. The schedule is empty if syncs run on demand or the exporter has no permission to read it.",
        TableContent(
            {
                "asof": f"time() - {q.per_source(q.as_of)}",
                "info": q.per_source(q.last_known("data_source_info"), "data_source_type", "schedule"),
                "own": q.status_of("data_source_status", "own_status"),
                "latest": q.status_of("sync_status", "latest_sync"),
                "last": q.status_of(f"{_LAST}status", "last_sync"),
                "ended": q.age(q.select(f"{_LAST}end_timestamp_seconds")),
                "duration": q.current(f"{_LAST}duration_seconds"),
                "indexed": q.content_age,
                "scanned": q.current(f"{_LAST}documents_scanned"),
                "failed": q.current(f"{_LAST}documents_failed"),
                **({"next": f"1000 * {q.latest(_NEXT)}"} if next_sync else {"gap": q.latest(_GAP)}),
            },
            [
                Column(root.text.capitalize(), label=root.word, width=width_of([root.text], least=85)),
                Column("Data source", label="data_source", links=[DashboardSet(q.service).to_data_source], width=180),
                Column("Type", label="data_source_type", width=125),
                Column(
                    "Status",
                    label="own_status",
                    mappings=styles.text_mappings(styles.RESOURCE_COLOURS),
                    width=width_of(q.service.healthy_source_statuses, least=70),
                ),
                Column("Latest sync", label="latest_sync", mappings=statuses, width=125),
                Column("Last completed", label="last_sync", mappings=statuses, filled=True, width=130),
                Column("Ended ago", query="ended", unit="s", decimals=1, width=90),
                Column("Duration", query="duration", unit="s", decimals=1, width=85),
                Column("Content age", query="indexed", unit="s", decimals=1, width=105),
                Column("Scanned", query="scanned", unit="locale", width=75),
                Column("Failed", query="failed", unit="locale", width=60),
                Column("Schedule", label="schedule", width=120),
                Column("Next sync", query="next", unit="dateTimeFromNow", width=100)
                if next_sync
                else Column("Expected gap", query="gap", unit="s", decimals=1, width=115),
                Column("Polled ago", query="asof", unit="s", decimals=0, width=85),
                Column("Status page", label="data_source_id", links=[TO_STATUS_PAGE], width=95),
            ],
            sort="data_source",
            hidden=["Value #info", "Value #own", "Value #latest", "Value #last"],
        ),
        height=14,
    )
