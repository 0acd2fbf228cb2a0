"""The words of an AWS service in texts for readers: HELP texts, alerts, runbooks and links to the console."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Members:
    """The names of members in the API of a service, for HELP texts, and its limits in words.

    An empty name means that the API has no such member. The service then has no metric families that need it.
    """

    started: str
    ended: str
    error_code: str
    error_texts: str
    """The members that may contain the code of a connector."""
    document_counts: tuple[tuple[str, str], ...]
    """The members with the documents of a sync job by their kind, such as `added`."""
    created: str
    updated: str
    schedule: str
    cron_schedule: str
    """The same member if schedules are cron expressions, which have firing times."""
    container_documents: str
    container_text_bytes: str
    capacity_units: str
    documents_limit: str
    text_bytes_limit: str


@dataclass(frozen=True, slots=True)
class OperatorTerms:
    """Names in the API and the console of a service that the texts of alerts and runbooks mention."""

    start_sync: str
    """The operation that starts a sync job."""
    stop_sync: str
    deletions: tuple[str, ...]
    """The operations that delete documents outside of sync jobs."""
    status_reason: str
    """The member that has the reason of a status."""
    sync_report: str
    """A phrase for the log that lists the documents of a sync."""
    failed_documents: str
    """A clause on what happens to a document that failed."""
    reindexing: str
    """How to index failed documents after the cause is fixed, as an imperative."""
    remedies: tuple[str, ...]
    """Sentences on the error codes of failed syncs: their cause, and what to do."""
    has_connector_codes: bool
    """Whether the error texts of sync jobs may contain the code of a connector."""
    first_sync_is_manual: bool
    """Whether a schedule takes effect only after a first manual sync."""
    custom_syncs: bool
    """Whether a connector of type CUSTOM starts and stops syncs."""
    delete_container: str
    own_id: str = ""
    """The option of the AWS CLI for the id of the resource itself; default: the option of its level."""
    maintenance: str = ""
    """A clause on how maintenance by AWS delays syncs; empty if the documentation has none."""
    stop_limit: str = ""
    """A sentence on the syncs that cannot be stopped."""
    deletion_safeguard: str = ""
    """A sentence on what prevents a sync from deleting many documents."""
    job_options: str = ""
    """The options of the AWS CLI that name a sync job, if the data source is not sufficient to stop it."""
    capacity_options: str = ""
    """The options of the AWS CLI that set the capacity of a container."""
    capacity_limits: str = ""
    log_delivery: str = ""
    """A sentence on when AWS writes the log, without a full stop."""


@dataclass(frozen=True, slots=True)
class ExampleSource:
    """An invented data source, for the example of the configuration and the IAM policies.

    `ids` are those of its levels, the outermost first. `container` is the display name of the outermost container.
    """

    ids: tuple[str, ...]
    container: str
    name: str


@dataclass(frozen=True, slots=True)
class ConsolePaths:
    """The pages of a service in the AWS console, and the logs of its sync jobs.

    Paths come after the host, and have the region and the keys of ids in braces, such as `{index_id}`. The names of log
    streams have `{execution_id}` too. None stands for a page or a log whose address is unknown.
    """

    root: str | None = None
    data_source: str | None = None
    log_group: str | None = None
    log_stream: str | None = None
    failed_documents_query: str = ""
    """The query of Logs Insights for the failed documents of a log stream, whose name replaces `LOG_STREAM`."""
