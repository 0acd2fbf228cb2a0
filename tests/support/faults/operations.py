"""The operations of the matrix: when the program calls them, and how their failure is visible."""

from __future__ import annotations

from dataclasses import dataclass

JOBS = "ListDataSourceSyncJobs"


@dataclass(frozen=True)
class Operation:
    """An operation: when the program calls it, which faults apply to it, and how a failure is visible."""

    name: str
    effect: str  # what fails with it: poll, discovery, names, account, credentials, documents
    reported_by: str
    unchanged: str
    recovery: str
    mode: str = "discovered"  # of the environment in which the program calls it
    is_list: bool = False
    is_paged: bool = False
    is_scoped: bool = True  # a request names a data source or an application
    is_called_at_start: bool = False


_NEXT_RUN = "the next discovery run"
_NEXT_POLL = "the next poll, at most 15 minutes later"
_DISCOVERY_FAILS = "`qbusiness_exporter_discovery_success` is 0"
_ALL_SERIES = "all series; all data sources are polled on time"
OPERATIONS = (
    Operation(
        JOBS,
        "poll",
        "`qbusiness_poll_success` is 0 for the affected data sources",
        "all other series of these data sources, including `qbusiness_last_successful_poll_timestamp_seconds`; "
        "unaffected data sources are polled on time",
        _NEXT_POLL,
        is_list=True,
        is_paged=True,
    ),
    Operation(
        "ListApplications",
        "discovery",
        _DISCOVERY_FAILS,
        _ALL_SERIES,
        _NEXT_RUN,
        is_list=True,
        is_paged=True,
        is_scoped=False,
    ),
    Operation("ListIndices", "discovery", _DISCOVERY_FAILS, _ALL_SERIES, _NEXT_RUN, is_list=True, is_paged=True),
    Operation(
        "GetIndex",
        "discovery",
        _DISCOVERY_FAILS,
        "all series, those of the index with their last values; all data sources are polled on time",
        _NEXT_RUN,
    ),
    Operation("ListDataSources", "discovery", _DISCOVERY_FAILS, _ALL_SERIES, _NEXT_RUN, is_list=True, is_paged=True),
    Operation(
        "GetDataSource",
        "discovery",
        _DISCOVERY_FAILS,
        "all series, with the last known schedule; all data sources are polled on time",
        "the next poll; after a refusal, at most 15 minutes later",
    ),
    Operation(
        "ListTagsForResource",
        "discovery",
        _DISCOVERY_FAILS,
        "all series, with the last known tags; all data sources are polled on time",
        _NEXT_RUN,
        is_list=True,
    ),
    Operation(
        "ListDocuments",
        "documents",
        "the data source is in `uncounted` of its target on the status page and in the JSON, and "
        "`qbusiness_data_source_documents_counted_timestamp_seconds` does not change",
        "all series, with the last complete count; all data sources are polled on time",
        "the next count, at most an hour later",
        mode="documents",
        is_list=True,
        is_paged=True,
    ),
    Operation(
        "GetApplication",
        "names",
        "the data source is polled, but has no series until its name is resolved, and `discovery_success` is 0; after "
        "a refusal, the id is the name",
        "all other data sources",
        _NEXT_POLL,
        mode="configured",
        is_called_at_start=True,
    ),
    Operation(
        "GetCallerIdentity",
        "account",
        "`aws_account_id` is that in the ARN of an index, or the last known one",
        "everything else; all data sources are polled on time",
        _NEXT_RUN,
        is_scoped=False,
        is_called_at_start=True,
    ),
    Operation(
        "AssumeRole",
        "credentials",
        "`qbusiness_poll_success` is 0 for all data sources, after the current credentials have expired",
        "all other series of the data sources",
        "at most a minute later; for discovery, its next run",
        mode="role",
        is_scoped=False,
    ),
)
