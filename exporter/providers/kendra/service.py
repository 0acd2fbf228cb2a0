"""Amazon Kendra as data (API reference, version 2019-02-03).

Permissions: see the Service Authorization Reference, "Amazon Kendra". An action on a data source must also be allowed
on its index.
"""

from exporter.domain.service import Level, Permission, Service, SyncEvents, Use
from exporter.domain.service_texts import ConsolePaths, ExampleSource, Members, OperatorTerms
from exporter.providers.document_report import FAILED_DOCUMENTS_QUERY, LOG_STREAM

KENDRA = Service(
    name="kendra",
    title="Amazon Kendra",
    client="kendra",
    least_botocore="1.44.5",
    iam="kendra",
    alert_prefix="Kendra",
    key_prefix="kendra/",
    levels=(
        Level(
            "index",
            "indexes",
            "index",
            "[a-zA-Z0-9][a-zA-Z0-9-]{35}",
            "the id of an index has 36 letters, digits and hyphens, and begins with a letter or digit",
        ),
        Level(
            "data_source",
            "data sources",
            "data-source",
            "[a-zA-Z0-9][a-zA-Z0-9_-]{0,99}",
            "the id of a data source has 1 to 100 letters, digits, hyphens and underscores, "
            "and begins with a letter or digit",
        ),
    ),
    permissions=(
        Permission("ListIndices", Use.LIST_CONTAINERS, 0),
        Permission("DescribeIndex", Use.CONTAINER, 1, "name, edition, capacity and usage of an index"),
        Permission("ListDataSources", Use.LIST_SOURCES, 1, "name, type and status of data sources"),
        Permission("DescribeDataSource", Use.SOURCE, 2, "the schedule, and the connector of a TEMPLATE"),
        Permission("ListDataSourceSyncJobs", Use.SYNC_JOBS, 2),
        Permission("ListTagsForResource", Use.TAGS, 2),
    ),
    regions=(
        "us-east-1",
        "us-east-2",
        "us-west-2",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-northeast-1",
        "ca-central-1",
        "eu-west-1",
        "eu-west-2",
        "us-gov-west-1",
    ),
    members=Members(
        started="StartTime",
        ended="EndTime",
        error_code="ErrorCode",
        error_texts="DataSourceErrorCode or ErrorMessage",
        document_counts=(
            ("added", "DocumentsAdded"),
            ("modified", "DocumentsModified"),
            ("deleted", "DocumentsDeleted"),
            ("failed", "DocumentsFailed"),
            ("scanned", "DocumentsScanned"),
        ),
        created="CreatedAt",
        updated="UpdatedAt",
        schedule="Schedule",
        cron_schedule="Schedule",
        container_documents="IndexedTextDocumentsCount",
        container_text_bytes="IndexedTextBytes",
        capacity_units="Capacity units",
        documents_limit="the limit of its edition plus its additional storage capacity units",
        text_bytes_limit="the limit of its edition plus its additional capacity (10^6 bytes to a MB)",
    ),
    terms=OperatorTerms(
        start_sync="StartDataSourceSyncJob",
        stop_sync="StopDataSourceSyncJob",
        deletions=("BatchDeleteDocument", "DeleteDataSource"),
        status_reason="ErrorMessage",
        sync_report="the sync report in CloudWatch Logs",
        failed_documents="later syncs that succeed do not show that the failed documents are indexed",
        reindexing="Modify the documents, or run a full sync",
        remedies=(
            "`InternalError` without a connector code: a temporary problem of AWS. Wait for the next sync.",
            "`InvalidRequest`: correct the configuration of the data source.",
        ),
        has_connector_codes=True,
        first_sync_is_manual=False,
        custom_syncs=True,
        delete_container="DeleteIndex",
        own_id="id",
        stop_limit="Amazon Kendra does not stop a sync that the schedule of its data source has started.",
        capacity_options="--capacity-units StorageCapacityUnits=UNITS,QueryCapacityUnits=UNITS",
        capacity_limits="A Developer index has a fixed capacity. An Enterprise index has at most 100 additional units, "
        "and a GenAI Enterprise index at most 50.",
    ),
    sync_events=SyncEvents(
        source="aws.kendra",
        event_source="kendra.amazonaws.com",
        id_parameters=("indexId", "id"),
    ),
    error_codes=("InternalError", "InvalidRequest"),
    source_statuses=("CREATING", "DELETING", "FAILED", "UPDATING", "ACTIVE"),
    container_types=("DEVELOPER_EDITION", "ENTERPRISE_EDITION", "GEN_AI_ENTERPRISE_EDITION"),
    container_statuses=("CREATING", "ACTIVE", "DELETING", "FAILED", "UPDATING", "SYSTEM_UPDATING"),
    healthy_statuses=frozenset({"ACTIVE", "SYSTEM_UPDATING"}),  # the second is maintenance by AWS
    page_size=10,
    document_page_size=0,
    example=ExampleSource(
        ("5d7c2b90-4e1a-4f6b-8a3d-2c9e0f7b6a15", "0b9f4c61-8d2e-4a57-9c3f-7e5a1d6b8f04"),
        "helpdesk",
        "tickets-servicenow",
    ),
    console=ConsolePaths(
        root="/kendra/home?region={region}#/indexes/{index_id}/details",
        log_group="/aws/kendra/{index_id}",
        log_stream=LOG_STREAM,
        failed_documents_query=FAILED_DOCUMENTS_QUERY,
    ),
)
