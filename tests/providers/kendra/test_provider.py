"""Amazon Kendra: capacities by edition, types of connectors, errors by name, and requests that AWS would refuse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from exporter.errors import ProviderError, Reason
from exporter.metrics import container_families, container_labels, source_families, source_labels
from exporter.providers import job_parsing
from exporter.providers.kendra.parsing import JOB, parse_data_source, parse_index, parse_listed_source
from exporter.providers.kendra.service import KENDRA
from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.kendra import KendraApi
from exporter.simulator.service import SimulatedService
from exporter.simulator.wire import Request, Response
from tests.support.builders import NOON
from tests.support.harness import fleet_of
from tests.support.provider_rig import CASES, ProviderRig
from tests.support.simulated_target import aws_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["aws_environment"]

GIGABYTE = 10**9
(CASE,) = (case for case in CASES if case.service is KENDRA)
SIGNATURE = (
    "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/kendra/aws4_request, "
    f"SignedHeaders=host;x-amz-date;x-amz-target, Signature={'0' * 64}"
)
HEADERS = {"authorization": SIGNATURE, "content-type": "application/x-amz-json-1.1"}


@pytest.fixture
def rig() -> Iterator[ProviderRig]:
    """Yield a provider with one data source, whose service is running."""
    rig = ProviderRig(CASE)
    with rig.endpoint:
        yield rig


def index_of(edition: str, units: int | None) -> dict[str, Any]:
    """Build a response of DescribeIndex."""
    capacity = {} if units is None else {"CapacityUnits": {"StorageCapacityUnits": units, "QueryCapacityUnits": 0}}
    return {"Name": "main", "Edition": edition, "Status": "SYSTEM_UPDATING", **capacity}


@pytest.mark.parametrize(
    ("edition", "units", "documents", "text_bytes"),
    [
        ("DEVELOPER_EDITION", None, 10_000, 3 * GIGABYTE),
        ("DEVELOPER_EDITION", 0, 10_000, 3 * GIGABYTE),
        ("ENTERPRISE_EDITION", 0, 100_000, 30 * GIGABYTE),
        ("ENTERPRISE_EDITION", 3, 400_000, 120 * GIGABYTE),
        ("GEN_AI_ENTERPRISE_EDITION", 0, 20_000, GIGABYTE // 5),
        ("GEN_AI_ENTERPRISE_EDITION", 3, 80_000, 4 * GIGABYTE // 5),
        ("ENTERPRISE_EDITION", None, None, None),
        ("NEW_EDITION", 1, None, None),
    ],
)
def test_units_add_to_the_capacity_of_an_edition(
    edition: str, units: int | None, documents: int | None, text_bytes: int | None
) -> None:
    """An index without additional units has the default capacity. An unknown edition has no limits."""
    facts = parse_index(index_of(edition, units))
    assert (facts.documents_limit, facts.text_bytes_limit, facts.units) == (documents, text_bytes, units)
    assert (facts.type, facts.status, facts.arn) == (edition, "SYSTEM_UPDATING", "")


def test_the_error_of_a_job_is_flat() -> None:
    """Its code, its message and the connector's code are members of the job itself."""
    raw = {
        "ExecutionId": "e",
        "Status": "FAILED",
        "StartTime": NOON,
        "EndTime": NOON + 60,
        "ErrorCode": "InvalidRequest",
        "ErrorMessage": "the connector failed",
        "DataSourceErrorCode": "SPE-5001",
        "Metrics": {"DocumentsScanned": "999", "DocumentsFailed": "6"},
    }
    warnings: list[str] = []
    job = job_parsing.parse_job(raw, JOB, NOON + 99, warnings)
    assert job is not None
    assert not warnings
    assert (job.error_code, job.error_message, job.connector_error) == (
        "InvalidRequest",
        "the connector failed",
        "SPE-5001",
    )
    assert (job.documents.scanned, job.documents.failed, job.documents.added, job.duration) == (999, 6, None, 60.0)


def test_a_listing_does_not_have_the_connector_of_a_template() -> None:
    """Only DescribeDataSource has its name, next to secrets."""
    assert parse_listed_source({"Id": "a", "Name": "wiki", "Type": "TEMPLATE"}).type == ""
    assert parse_listed_source({"Id": "a", "Name": "files", "Type": "S3"}).type == "S3"
    configuration = {"TemplateConfiguration": {"Template": {"type": "CONFLUENCEV2", "secretArn": "s"}}}
    assert parse_data_source({"Type": "TEMPLATE", "Configuration": configuration}).type == "CONFLUENCEV2"


def test_an_index_without_a_name_in_the_listing_is_listed(rig: ProviderRig) -> None:
    """The name is optional there. An index that DescribeIndex has no name for is an error."""
    rig.index.name = ""
    assert rig.provider.containers(None).items == {rig.index.id: ""}
    with pytest.raises(ProviderError, match="malformed response: no Name"):
        rig.provider.container_name(rig.id.container)


def test_listings_of_data_sources_have_pages_of_a_hundred(rig: ProviderRig) -> None:
    """Kendra permits ten times as many as Amazon Q Business."""
    rig.index.data_sources += [SimulatedDataSource(f"s{number}") for number in range(100)]
    listing = rig.provider.data_sources(rig.id.container)
    assert (len(listing.items), listing.pages) == (101, 2)


def test_an_error_is_counted_under_its_name(rig: ProviderRig) -> None:
    """Its status is always 400."""
    rig.endpoint.faults.add("denied")
    with pytest.raises(ProviderError) as error:
        rig.provider.container(rig.id.container)
    assert (error.value.reason, error.value.code) == (Reason.ACCESS_DENIED, "AccessDeniedException")
    assert rig.observer.codes == ["AccessDeniedException"]
    assert rig.endpoint.requests[-1].status == 400


def test_resources_that_kendra_does_not_have_are_an_error(rig: ProviderRig) -> None:
    """These are containers in an index, and a listing of documents."""
    with pytest.raises(ProviderError, match="has data sources, and no containers"):
        rig.provider.containers(rig.id.container)
    with pytest.raises(ProviderError, match="does not list the documents"):
        rig.provider.documents(rig.id)


def test_the_families_have_the_words_of_kendra() -> None:
    """Names and labels are as specified, and HELP names the members of Kendra's API."""
    assert source_labels(KENDRA) == ("index", "data_source", "data_source_id")
    assert container_labels(KENDRA) == ("index", "index_id")
    families = {family.name: family for family in (*source_families(KENDRA), *container_families(KENDRA))}
    assert all(name.startswith("kendra_") for name in families)
    assert "kendra_data_source_documents" not in families
    assert families["kendra_data_source_info"].labels[0] == "index_id"
    assert families["kendra_index_info"].labels == ("index_type", "aws_account_id", "aws_region")
    help_texts = " ".join(family.help for family in families.values())
    assert "IndexedTextDocumentsCount of the index" in help_texts
    assert "from DescribeIndex" in families["kendra_index_info"].help
    for foreign in ("GetIndex", "endTime", "syncSchedule", "documentsFailed", "{"):
        assert foreign not in help_texts


def respond(operation: str, body: object, **headers: str) -> Response:
    """Return the response of the simulated API to a request."""
    service = SimulatedService(fleet_of(SimulatedDataSource("hr")), None, KendraApi)
    target = {"x-amz-target": f"AWSKendraFrontendService.{operation}"}
    request = Request.parse("POST", "/", {**HEADERS, **target, **headers}, json.dumps(body).encode())
    return service.respond(request)


@pytest.mark.parametrize(
    ("operation", "body", "name"),
    [
        ("ListIndexes", {}, "UnknownOperationException"),
        ("ListIndices", [], "SerializationException"),
        ("ListIndices", {"MaxResults": 101}, "ValidationException"),
        ("ListIndices", {"MaxResults": "10"}, "ValidationException"),
        ("ListIndices", {"NextToken": "x"}, "ValidationException"),
        ("ListIndices", {"IndexId": "a" * 36}, "ValidationException"),
        ("DescribeIndex", {}, "ValidationException"),
        ("DescribeIndex", {"Id": "short"}, "ValidationException"),
        ("DescribeIndex", {"Id": "a" * 36}, "ResourceNotFoundException"),
        ("DescribeDataSource", {"Id": "a b", "IndexId": "a" * 36}, "ValidationException"),
        ("ListDataSourceSyncJobs", {"Id": "a", "IndexId": "a" * 36, "StatusFilter": "DONE"}, "ValidationException"),
        ("ListTagsForResource", {"ResourceARN": "arn:aws:s3:::bucket"}, "ValidationException"),
    ],
)
def test_wrong_requests_are_refused_as_aws_refuses_them(operation: str, body: object, name: str) -> None:
    """All errors have the status 400, and their name in the body."""
    response = respond(operation, body)
    assert response.status == 400
    assert json.loads(response.body)["__type"] == f"com.amazonaws.kendra#{name}"
    assert "x-amzn-errortype" not in response.headers


@pytest.mark.parametrize("headers", [{"authorization": ""}, {"content-type": "application/json"}])
def test_requests_without_signature_or_content_type_are_refused(headers: dict[str, str]) -> None:
    """Neither reaches an operation."""
    assert respond("ListIndices", {}).status == 200
    assert respond("ListIndices", {}, **headers).status == 400
