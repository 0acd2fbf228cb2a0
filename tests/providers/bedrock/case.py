"""Amazon Bedrock knowledge bases in the tests of all providers."""

from exporter.providers.bedrock.service import BEDROCK
from exporter.simulator.bedrock import SECRET_MARKER
from tests.support.service_case import ApiShapes, ServiceCase

CASE = ServiceCase(
    BEDROCK,
    ("MANAGED:SHAREPOINT", "SHAREPOINT"),
    SECRET_MARKER,
    statuses=("ACTIVE", "AVAILABLE"),
    documents=None,
    extreme_id="zZ09zZ09zZ",
    page_sizes={"ListIngestionJobs": 10},
    refused_by_sdk=("figures_in_words", "fractional_figures"),
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
