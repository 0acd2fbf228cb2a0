"""Amazon Q Business as data (API reference, version 2023-11-27).

Permissions: see the Service Authorization Reference, "Amazon Q Business". An action on a data source must also be
allowed on its index and its application.
"""

from exporter.domain.service import Level, Permission, Service, SyncEvents, Use
from exporter.domain.service_texts import ConsolePaths, ExampleSource, Members, OperatorTerms
from exporter.providers.document_report import FAILED_DOCUMENTS_QUERY, LOG_STREAM

_ID = "[a-zA-Z0-9][a-zA-Z0-9-]{35}"
_ID_RULE = "an id has 36 letters, digits and hyphens, and begins with a letter or digit"

QBUSINESS = Service(
    name="qbusiness",
    title="Amazon Q Business",
    client="qbusiness",
    least_botocore="1.44.5",
    iam="qbusiness",
    alert_prefix="QBusiness",
    key_prefix="",  # state files are older than the other services
    levels=(
        Level("application", "applications", "application", _ID, _ID_RULE),
        Level("index", "indexes", "index", _ID, _ID_RULE),
        Level("data_source", "data sources", "data-source", _ID, _ID_RULE),
    ),
    permissions=(
        Permission("ListApplications", Use.LIST_CONTAINERS, 0),
        Permission("GetApplication", Use.CONTAINER_NAME, 1),
        Permission("ListIndices", Use.LIST_CONTAINERS, 1),
        Permission("GetIndex", Use.CONTAINER, 2, "capacity and usage of an index"),
        Permission("ListDataSources", Use.LIST_SOURCES, 2, "name, type and status of data sources"),
        Permission("GetDataSource", Use.SOURCE, 3, "the schedule"),
        Permission("ListDataSourceSyncJobs", Use.SYNC_JOBS, 3),
        Permission("ListTagsForResource", Use.TAGS, 3),
        Permission("ListDocuments", Use.DOCUMENTS, 2),
    ),
    regions=("us-east-1", "us-west-2", "eu-west-1", "ap-southeast-2"),  # those that the AWS documentation lists
    members=Members(
        started="startTime",
        ended="endTime",
        error_code="error.errorCode",
        error_texts="dataSourceErrorCode or error.errorMessage",
        document_counts=(
            ("added", "documentsAdded"),
            ("modified", "documentsModified"),
            ("deleted", "documentsDeleted"),
            ("failed", "documentsFailed"),
            ("scanned", "documentsScanned"),
        ),
        created="createdAt",
        updated="updatedAt",
        schedule="syncSchedule",
        cron_schedule="syncSchedule",
        container_documents="indexedTextDocumentCount",
        container_text_bytes="indexedTextBytes",
        capacity_units="Capacity units",
        documents_limit="its capacity units times 20,000",
        text_bytes_limit="its capacity units times 200 MB (10^6 bytes)",
    ),
    terms=OperatorTerms(
        start_sync="StartDataSourceSyncJob",
        stop_sync="StopDataSourceSyncJob",
        deletions=("BatchDeleteDocument", "DeleteDataSource"),
        status_reason="error",
        sync_report="the sync report in CloudWatch Logs",
        failed_documents="Amazon Q Business does not retry a failed document until the document changes",
        reindexing="Modify the documents, or run a full sync",
        remedies=(
            "`InternalError` without a connector code: a temporary problem of AWS. Wait for the next sync.",
            "`InvalidRequest`: correct the configuration of the data source.",
            "`ResourceNotFound`, `ResourceInactive`: its role, secret, VPC or index does not exist or is not ready.",
        ),
        has_connector_codes=True,
        first_sync_is_manual=True,
        custom_syncs=True,
        delete_container="DeleteIndex",
        maintenance="index maintenance can delay a sync for a day",
        deletion_safeguard="Consider the connector's deletion safeguard, which refuses to delete more than a given "
        "share of the documents.",
        capacity_options="--capacity-configuration units=UNITS",
        capacity_limits="A Starter index has at most five units, and an Enterprise index at most 50.",
        log_delivery="New connectors write this log only after log delivery of type `SYNC_JOB_LOGS` is set up",
    ),
    sync_events=SyncEvents(
        source="aws.qbusiness",
        event_source="qbusiness.amazonaws.com",
        id_parameters=("applicationId", "indexId", "dataSourceId"),
    ),
    error_codes=("InternalError", "InvalidRequest", "ResourceInactive", "ResourceNotFound"),  # ErrorDetail.errorCode
    source_statuses=("PENDING_CREATION", "CREATING", "ACTIVE", "DELETING", "FAILED", "UPDATING"),
    container_types=("ENTERPRISE", "STARTER"),
    container_statuses=("CREATING", "ACTIVE", "DELETING", "FAILED", "UPDATING"),
    healthy_statuses=frozenset({"ACTIVE"}),
    page_size=10,
    document_page_size=100,
    example=ExampleSource(
        (
            "3f1c9a52-7d0e-4b8a-9c55-0d4f6e2b7a10",
            "8b2e6d47-1c3f-4e9a-a7d8-5f9b0c1e2d34",
            "c7a4e1f0-9b38-4d65-8e21-6a0d3f5b7c92",
        ),
        "intranet",
        "hr-sharepoint",
    ),
    document_statuses=(
        "RECEIVED",
        "PROCESSING",
        "INDEXED",
        "UPDATED",
        "FAILED",
        "DELETING",
        "DELETED",
        "DOCUMENT_FAILED_TO_INDEX",
    ),
    console=ConsolePaths(
        root="/amazonq/business/applications/{application_id}/details?region={region}",
        data_source="/amazonq/business/applications/{application_id}/indices/{index_id}/datasources/{data_source_id}"
        "/details?region={region}",
        log_group="/aws/qbusiness/{application_id}",
        log_stream=LOG_STREAM,
        failed_documents_query=FAILED_DOCUMENTS_QUERY,
    ),
    background_operations=frozenset({"ListDocuments"}),
)
