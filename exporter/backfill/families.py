"""The families that a backfill can fill from the start, end and final state of each past sync job.

Names are without the prefix of the service. The values of all families that are not listed here are derived from the
jobs, as in live polls.
"""

from __future__ import annotations

from exporter.domain.model import DOCUMENT_KINDS

TIME_OF_DATA = "last_successful_poll_timestamp_seconds"
"""The family with the age of all others. In a backfill, its value is the timestamp of each sample."""

FROM_SCHEDULE = frozenset(
    {
        "data_source_schedule_valid",
        "data_source_previous_scheduled_sync_timestamp_seconds",
        "data_source_next_scheduled_sync_timestamp_seconds",
    }
)
"""Families that depend on the schedule, which has no values for the time before it existed."""

ABSENT = frozenset(
    {
        "data_source_status",
        "data_source_documents",
        "data_source_documents_counted_timestamp_seconds",
        "poll_success",
        *(f"running_sync_documents_{kind}" for kind in DOCUMENT_KINDS),
    }
)
"""Families whose past values are unknown, and the success of polls that did not take place."""
