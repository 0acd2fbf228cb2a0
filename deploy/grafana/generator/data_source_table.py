"""The table of all data sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.grafana.generator import styles
from deploy.grafana.generator.links import TO_DATA_SOURCE, TO_STATUS_PAGE
from deploy.grafana.generator.queries import (
    AS_OF,
    SOURCE,
    age,
    current,
    last_known,
    latest,
    per_source,
    select,
    status_of,
)
from deploy.grafana.generator.tables import Column, TableContent, table_panel

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.table import Panel

_LAST = "qbusiness_last_completed_sync_"


def all_data_sources() -> Panel:
    """Return the table of all selected data sources."""
    statuses = styles.text_mappings(styles.STATUS_COLOURS)
    facts = f"{SOURCE}, data_source_type, schedule"
    return table_panel(
        "All data sources",
        "The state of each data source at its last successful poll. Cells are empty if there is no value or AWS does "
        "not report it. The schedule is empty if syncs run on demand or the exporter has no permission to read it.",
        TableContent(
            {
                "asof": f"time() - {per_source(AS_OF)}",
                "info": per_source(last_known("qbusiness_data_source_info"), facts),
                "own": status_of("qbusiness_data_source_status", "own_status"),
                "latest": status_of("qbusiness_sync_status", "latest_sync"),
                "last": status_of(f"{_LAST}status", "last_sync"),
                "ended": age(select(f"{_LAST}end_timestamp_seconds")),
                "duration": current(f"{_LAST}duration_seconds"),
                "indexed": age(last_known("qbusiness_last_indexed_sync_timestamp_seconds")),
                "scanned": current(f"{_LAST}documents_scanned"),
                "failed": current(f"{_LAST}documents_failed"),
                "next": f"1000 * {latest('qbusiness_data_source_next_scheduled_sync_timestamp_seconds')}",
            },
            [
                Column("Application", label="application", width=85),
                Column("Data source", label="data_source", links=[TO_DATA_SOURCE], width=180),
                Column("Type", label="data_source_type", width=125),
                Column("Status", label="own_status", mappings=styles.text_mappings(styles.RESOURCE_COLOURS), width=70),
                Column("Latest sync", label="latest_sync", mappings=statuses, width=125),
                Column("Last completed", label="last_sync", mappings=statuses, filled=True, width=120),
                Column("Ended ago", query="ended", unit="s", decimals=1, width=90),
                Column("Duration", query="duration", unit="s", decimals=1, width=85),
                Column("Content age", query="indexed", unit="s", decimals=1, width=95),
                Column("Scanned", query="scanned", unit="locale", width=70),
                Column("Failed", query="failed", unit="locale", width=60),
                Column("Schedule", label="schedule", width=120),
                Column("Next sync", query="next", unit="dateTimeFromNow", width=100),
                Column("Polled ago", query="asof", unit="s", decimals=0, width=85),
                Column("Status page", label="data_source_id", links=[TO_STATUS_PAGE], width=110),
            ],
            sort="data_source",
            hidden=["Value #info", "Value #own", "Value #latest", "Value #last"],
        ),
        height=14,
    )
