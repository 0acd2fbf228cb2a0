"""Amazon Bedrock knowledge bases as data (API reference of Agents for Amazon Bedrock, version 2023-06-05).

Permissions: see the Service Authorization Reference, "Amazon Bedrock". Data sources have no ARN, so every action is on
the knowledge base.
"""

from exporter.domain.service import Level, Permission, Service, SyncEvents, Use
from exporter.domain.service_texts import ExampleSource, Members, OperatorTerms

_ID = "[0-9a-zA-Z]{10}"

BEDROCK = Service(
    name="bedrock",
    title="Amazon Bedrock knowledge bases",
    client="bedrock-agent",
    least_botocore="1.44.5",
    iam="bedrock",
    alert_prefix="Bedrock",
    key_prefix="bedrock/",
    levels=(
        Level(
            "knowledge_base",
            "knowledge bases",
            "knowledge-base",
            _ID,
            "the id of a knowledge base has 10 letters and digits",
        ),
        Level("data_source", "data sources", "data-source", _ID, "the id of a data source has 10 letters and digits"),
    ),
    permissions=(
        Permission("ListKnowledgeBases", Use.LIST_CONTAINERS, 0),
        Permission(
            "GetKnowledgeBase",
            Use.CONTAINER,
            1,
            "name and type of a knowledge base. The response also contains its storage configuration, which the "
            "exporter ignores",
        ),
        Permission("ListDataSources", Use.LIST_SOURCES, 1, "name and status of data sources"),
        Permission("GetDataSource", Use.SOURCE, 1, "the type, and the schedule of a managed connector"),
        Permission("ListIngestionJobs", Use.SYNC_JOBS, 1),
        Permission(
            "GetIngestionJob",
            Use.SYNC_JOB,
            1,
            "whether a job that ended succeeded, and why not; without it, every COMPLETE job is INCOMPLETE",
        ),
        Permission("ListTagsForResource", Use.TAGS, 1),
        Permission("ListKnowledgeBaseDocuments", Use.DOCUMENTS, 1),
    ),
    regions=(),
    members=Members(
        started="startedAt",
        ended="updatedAt",
        error_code="the kind of failureReasons",
        error_texts="failureReasons",
        document_counts=(
            ("added", "numberOfNewDocumentsIndexed"),
            ("modified", "numberOfModifiedDocumentsIndexed"),
            ("deleted", "numberOfDocumentsDeleted"),
            ("failed", "numberOfDocumentsFailed"),
            ("scanned", "numberOfDocumentsScanned"),
            ("skipped", "numberOfDocumentsSkipped"),
            ("metadata_scanned", "numberOfMetadataDocumentsScanned"),
            ("metadata_modified", "numberOfMetadataDocumentsModified"),
        ),
        created="createdAt",
        updated="updatedAt",
        schedule="syncSchedule",
        cron_schedule="",
        container_documents="",
        container_text_bytes="",
        capacity_units="",
        documents_limit="",
        text_bytes_limit="",
    ),
    terms=OperatorTerms(
        start_sync="StartIngestionJob",
        stop_sync="StopIngestionJob",
        deletions=("DeleteKnowledgeBaseDocuments", "DeleteDataSource"),
        status_reason="failureReasons",
        sync_report="the logs of the knowledge base in CloudWatch Logs, if log delivery is set up",
        failed_documents="later syncs that succeed do not show that the failed documents are indexed",
        reindexing="Modify the documents, or run a sync and check their status",
        remedies=(
            "`NotAuthorized`: the role of the knowledge base lacks a permission, or a secret is wrong.",
            "`MetadataIgnored`: files were ignored because of their metadata, for example because it is too large.",
            "`NotCrawled`: the connector could not read documents. Check that its credentials allow it.",
            "`other`: read the reasons in full.",
        ),
        has_connector_codes=False,
        first_sync_is_manual=False,
        custom_syncs=False,
        delete_container="DeleteKnowledgeBase",
        deletion_safeguard="Managed connectors have deletion protection: a sync that would delete more than a given "
        "share of the documents skips its deletions.",
        job_options="--ingestion-job-id JOB_ID",
    ),
    sync_events=SyncEvents(
        source="aws.bedrock",
        event_source="bedrock.amazonaws.com",
        id_parameters=("knowledgeBaseId", "dataSourceId"),
    ),
    error_codes=("NotAuthorized", "MetadataIgnored", "NotCrawled"),  # see `failure_reasons`: the API has no codes
    source_statuses=("AVAILABLE", "DELETING", "DELETE_UNSUCCESSFUL", "CREATING", "UPDATING", "FAILED"),
    container_types=("VECTOR", "KENDRA", "SQL", "MANAGED"),
    container_statuses=(
        "CREATING",
        "ACTIVE",
        "DELETING",
        "UPDATING",
        "FAILED",
        "DELETE_UNSUCCESSFUL",
        "UPDATE_UNSUCCESSFUL",
    ),
    healthy_statuses=frozenset({"AVAILABLE", "ACTIVE"}),  # for data sources and for knowledge bases
    page_size=1000,
    document_page_size=1000,
    example=ExampleSource(("KB3WQ7RTPL", "DS8M2XVNCA"), "policies", "policies-s3"),
    document_statuses=(
        "INDEXED",
        "PARTIALLY_INDEXED",
        "PENDING",
        "FAILED",
        "METADATA_PARTIALLY_INDEXED",
        "METADATA_UPDATE_FAILED",
        "IGNORED",
        "NOT_FOUND",
        "STARTING",
        "IN_PROGRESS",
        "DELETING",
        "DELETE_IN_PROGRESS",
    ),
    background_operations=frozenset({"ListKnowledgeBaseDocuments"}),
)
