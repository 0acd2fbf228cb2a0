"""The table of every data source, well or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.grafana.generator import looks
from deploy.grafana.generator.links import TO_DATA_SOURCE, TO_STATUS_PAGE
from deploy.grafana.generator.queries import AS_OF, SOURCE, age, current, known, latest, of_source, select, status_of
from deploy.grafana.generator.tables import Column, Rows, listing

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.table import Panel

_LAST = "qbusiness_last_completed_sync_"


def every_data_source() -> Panel:
    """List all that are chosen."""
    statuses = looks.words(looks.STATUS_COLOURS)
    facts = f"{SOURCE}, data_source_type, schedule"
    return listing(
        "Every data source",
        "What is known of each data source as of its last poll that worked. Empty cells: there is none, or AWS did "
        "not say; an empty schedule: syncs are on demand, or the exporter may not ask for it.",
        Rows(
            {
                "asof": f"time() - {of_source(AS_OF)}",
                "info": of_source(known("qbusiness_data_source_info"), facts),
                "own": status_of("qbusiness_data_source_status", "own_status"),
                "latest": status_of("qbusiness_sync_status", "latest_sync"),
                "last": status_of(f"{_LAST}status", "last_sync"),
                "ended": age(select(f"{_LAST}end_timestamp_seconds")),
                "duration": current(f"{_LAST}duration_seconds"),
                "indexed": age(known("qbusiness_last_indexed_sync_timestamp_seconds")),
                "scanned": current(f"{_LAST}documents_scanned"),
                "failed": current(f"{_LAST}documents_failed"),
                "next": f"1000 * {latest('qbusiness_data_source_next_scheduled_sync_timestamp_seconds')}",
            },
            [
                Column("Application", label="application", width=85),
                Column("Data source", label="data_source", links=[TO_DATA_SOURCE], width=180),
                Column("Type", label="data_source_type", width=125),
                Column("State", label="own_status", mappings=looks.words(looks.RESOURCE_COLOURS), width=70),
                Column("Latest sync", label="latest_sync", mappings=statuses, width=125),
                Column("Last ended sync", label="last_sync", mappings=statuses, filled=True, width=120),
                Column("Ended", query="ended", unit="s", decimals=1, width=85),
                Column("Took", query="duration", unit="s", decimals=1, width=85),
                Column("Content age", query="indexed", unit="s", decimals=1, width=95),
                Column("Scanned", query="scanned", unit="locale", width=70),
                Column("Failed", query="failed", unit="locale", width=60),
                Column("Schedule", label="schedule", width=120),
                Column("Next sync", query="next", unit="dateTimeFromNow", width=100),
                Column("As of", query="asof", unit="s", decimals=0, width=50),
                Column("Status page", label="data_source_id", links=[TO_STATUS_PAGE], width=110),
            ],
            sort="data_source",
            hidden=["Value #info", "Value #own", "Value #latest", "Value #last"],
        ),
        height=14,
    )
