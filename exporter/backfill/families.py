"""Which families can be told of the past, where nothing is known of it but how each sync job began and ended.

What is in none of these sets follows from the jobs, and is what it would have been.
"""

from __future__ import annotations

from exporter.domain.model import DOCUMENT_KINDS

AS_OF = "qbusiness_last_successful_poll_timestamp_seconds"
"""It tells as of when all else is: of the past each figure is as of its own timestamp."""

STANDING = frozenset(
    {
        "qbusiness_data_source_info",
        "qbusiness_data_source_created_timestamp_seconds",
        "qbusiness_data_source_objective_max_success_age_seconds",
        "qbusiness_data_source_objective_max_duration_seconds",
        "qbusiness_data_source_objective_max_failed_ratio",
        "qbusiness_data_source_objective_min_documents_scanned",
    }
)
"""Facts and yardsticks of today, laid against the past."""

SINCE_UPDATED = frozenset(
    {
        "qbusiness_data_source_schedule_valid",
        "qbusiness_data_source_previous_scheduled_sync_timestamp_seconds",
        "qbusiness_data_source_next_scheduled_sync_timestamp_seconds",
    }
)
"""What follows from the schedule: it is known to have been the same since the data source was last updated."""

UNKNOWN = frozenset(
    {
        "qbusiness_data_source_status",
        "qbusiness_poll_success",
        *(f"qbusiness_running_sync_documents_{kind}" for kind in DOCUMENT_KINDS),
    }
)
"""What nobody can tell any more, or what did not happen."""
