"""Amazon Bedrock knowledge bases in the tests of all providers."""

from exporter.providers.bedrock.service import BEDROCK
from exporter.simulator.bedrock import SECRET_MARKER
from tests.support.service_case import ApiShapes, ServiceCase

CASE = ServiceCase(
    BEDROCK,
    ("MANAGED:SHAREPOINT", "SHAREPOINT"),
    SECRET_MARKER,
    healthy_source=("handbook", "handbook-webcrawler"),
    statuses=("ACTIVE", "AVAILABLE"),
    documents=None,
    extreme_id="zZ09zZ09zZ",
    page_sizes={"ListIngestionJobs": 10},
    absent_faults=("error_text", "unknown_error_code"),
    has_tag_lists=False,
    shapes=ApiShapes(
        container_status="KnowledgeBaseStatus",
        container_type="KnowledgeBaseType",
        container_sizes="",
        error_code="",
        job="IngestionJobSummary",
        job_counts="IngestionJobStatistics",
        schedule=("dataSource", "dataSourceConfiguration", "managedKnowledgeBaseConnectorConfiguration"),
    ),
)
