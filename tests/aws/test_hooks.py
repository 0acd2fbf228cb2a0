"""Reading over real HTTP: every fault becomes an error with its reason, and nothing becomes an empty history."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import botocore
import pytest

from exporter.aws import AwsClient, was_authorised
from exporter.config import PollingConfig, TargetConfig
from exporter.domain.model import (
    DOCUMENT_KINDS,
    ERROR_CODES,
    DataSourceStatus,
    Description,
    DocumentCounts,
    IndexFacts,
    IndexStatus,
    SourceId,
    SyncJob,
    SyncJobStatus,
)
from exporter.errors import ProviderError, Reason, StartupError
from exporter.providers import Listing
from exporter.providers.qbusiness.permissions import PERMISSIONS
from exporter.providers.qbusiness.provider import QBusiness
from exporter.runtime import System
from exporter.simulator.api import SECRET_MARKER
from exporter.simulator.fleet import SimulatedDataSource, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedQBusiness
from tests.support.builders import NOON
from tests.support.faults import matrix
from tests.support.harness import fleet_of
from tests.support.manual_clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# What becomes of each fault: the reason, and the codes under which its attempts are counted.
FAULTS = {
    fault.kind: (fault.reason, [fault.code] * (3 if fault.is_retried else 1)) for fault in matrix.FAULTS if fault.reason
}


class RequestObserver:
    """Whoever wants to know of every attempt."""

    def __init__(self) -> None:
        self.codes: list[str] = []
        self.operations: list[str] = []

    def acquire(self) -> None:
        """Let it pass."""

    def finished(self, operation: str, code: str, seconds: float) -> None:
        """Note it."""
        assert operation
        assert seconds >= 0
        self.codes.append(code)
        self.operations.append(operation)


class Rig:
    """A provider over real HTTP to a simulated service with one data source of 25 ended jobs."""

    def __init__(self, **target: Any) -> None:
        self.clock = ManualClock(NOON)
        jobs = [PlannedJob(make_id(n), NOON - n * 600 - 100, 30, 30, documents={"added": n}) for n in range(25)]
        self.source = SimulatedDataSource("hr", jobs=jobs)
        self.service = SimulatedQBusiness(fleet_of(self.source), self.clock)
        self.attempts = RequestObserver()
        settings = TargetConfig.model_validate({"region": "us-east-1", "endpoint_url": self.service.url, **target})
        polling = PollingConfig.model_validate({"timeout": "300ms"})
        self.connection = AwsClient(settings, polling, self.attempts, System())
        self.provider = QBusiness(self.connection)
        ((application, index, _),) = self.service.fleet.data_sources()
        self.id = SourceId(application.id, index.id, self.source.id)

    @property
    def arn(self) -> str:
        """Give the ARN of the data source."""
        path = f"application/{self.id.application_id}/index/{self.id.index_id}/data-source/{self.id.data_source_id}"
        return f"arn:aws:qbusiness:us-east-1:111122223333:{path}"

    def read(self, **filters: Any) -> list[SyncJob]:
        """Read a listing to its end."""
        return [job for page in self.provider.sync_jobs(self.id, **filters) for job in page.jobs]


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give credentials, and let the SDK sleep between retries no longer than it must."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)


@pytest.fixture
def rig() -> Iterator[Rig]:
    """Give a rig that serves."""
    made = Rig()
    with made.service:
        yield made


def test_a_listing_is_read_page_by_page(rig: Rig) -> None:
    """Pages of ten, the maximum, fetched as they are asked for, with AWS's clock."""
    pages = rig.provider.sync_jobs(rig.id)
    first = next(pages)
    assert (len(first.jobs), first.more, first.as_of) == (10, True, NOON)
    assert len(rig.service.requests) == 1
    assert [len(page.jobs) for page in pages] == [10, 5]
    assert {len(rig.attempts.codes), len(rig.service.requests)} == {3}


def test_filters_reach_the_service(rig: Rig) -> None:
    """The status filter travels as syncStatus, times as ISO 8601."""
    assert len(rig.read(since=NOON - 5 * 600)) == 5
    assert rig.read(status="FAILED") == []
    call = rig.service.requests[0].call
    assert call.since == NOON - 5 * 600


def test_a_job_is_read_with_all_that_is_known(rig: Rig) -> None:
    """Counters are strings on the wire, times are numbers, and an empty error is none."""
    rig.source.jobs[:] = [
        PlannedJob(
            make_id("f"),
            NOON - 60.123,
            5,
            5,
            "FAILED",
            {"added": 0, "failed": 12},
            error_code="InvalidRequest",
            error_message='SPE-5002 "credentials"\nare wrong',
        )
    ]
    (job,) = rig.read()
    assert job == SyncJob(
        execution_id=make_id("f"),
        status="FAILED",
        started=NOON - 60.123,
        ended=NOON - 50.123,
        documents=DocumentCounts(added=0, failed=12),
        error_code="InvalidRequest",
        error_message='SPE-5002 "credentials"\nare wrong',
        connector_error="SPE-5002",
    )


@pytest.mark.parametrize("page", [1, 2])
@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_an_error_with_its_reason(rig: Rig, kind: str, page: int) -> None:
    """On the first page as on a later one; every attempt is counted, and when it is over all is well."""
    reason, codes = FAULTS[kind]
    # Pages that lead in a circle do so on every page.
    rig.service.faults.add(kind, page=None if reason is Reason.PAGINATION else page)
    with pytest.raises(ProviderError) as failed:
        rig.read()
    assert (failed.value.reason, failed.value.operation) == (reason, "ListDataSourceSyncJobs")
    assert str(failed.value).startswith("ListDataSourceSyncJobs: ")
    if reason is not Reason.PAGINATION:
        # Releases of botocore differ in whether they retry a 429 without a code.
        once = ["200"] * (page - 1) + codes[:1]
        assert rig.attempts.codes in (
            [once] if len(codes) == 1 else [once + codes[1:], *[once] * (kind == "throttled_bare")]
        )
    rig.service.faults.clear()
    assert len(rig.read()) == 25


@pytest.mark.parametrize("kind", ["throttled", "server_error", "reset", "hang"])
def test_a_passing_fault_is_retried(rig: Rig, kind: str) -> None:
    """Within the three attempts that a request has."""
    rig.service.faults.add(kind, times=2)
    assert len(rig.read()) == 25
    assert len(rig.attempts.codes) == 5


@pytest.mark.parametrize(
    ("kind", "jobs", "warning"),
    [
        ("no_execution_id", 0, "job without id skipped: no usable executionId"),
        ("no_start", 0, "skipped: no usable startTime"),
        ("milliseconds", 0, "is no time between 2000 and now"),
        ("in_the_future", 0, "is no time between 2000 and now"),
        ("end_in_the_future", 25, "is no time between 2000 and now"),
        ("start_in_words", 0, "startTime 'yesterday' of job"),
        ("figures_in_words", 25, "documentsAdded '12x' is not a count; taken as not said"),
        ("negative_figures", 25, "documentsAdded '-3' is not a count"),
        ("fractional_figures", 25, "documentsAdded 12.5 is not a count"),
        ("huge_figures", 25, "is not a count"),
        ("end_before_start", 25, "is before startTime"),
        ("no_metrics", 25, None),
        ("unknown_status", 25, None),
        ("repeated", 50, None),
        ("huge", 25, None),
    ],
)
def test_a_job_that_is_odd_is_used_as_far_as_it_goes(rig: Rig, kind: str, jobs: int, warning: str | None) -> None:
    """With a warning; the others count."""
    rig.service.faults.add(kind)
    pages = list(rig.provider.sync_jobs(rig.id))
    assert sum(len(page.jobs) for page in pages) == jobs
    warnings = [text for page in pages for text in page.warnings]
    assert any(warning in text for text in warnings) if warning else not warnings


def test_an_answer_may_not_fill_the_memory(rig: Rig) -> None:
    """What is larger than any answer of AWS's is given up, and the next is read."""
    rig.service.faults.add("huge", megabytes=17.0, times=3)
    with pytest.raises(ProviderError, match="the answer was larger than 16 MB") as failed:
        rig.read()
    assert failed.value.reason is Reason.MALFORMED_RESPONSE
    assert len(rig.read()) == 25


def test_an_empty_page_with_a_token_is_not_the_end(rig: Rig) -> None:
    """What comes after it is read."""
    rig.service.faults.add("empty_page", times=1)
    assert len(rig.read()) == 25


def test_without_a_date_the_last_one_counts_on(rig: Rig) -> None:
    """AWS's clock is known from the answers before."""
    rig.read()
    rig.service.faults.add("no_date")
    page = next(rig.provider.sync_jobs(rig.id))
    assert page.as_of == pytest.approx(NOON, abs=5)


def test_text_that_cannot_be_written_is_made_so(rig: Rig) -> None:
    """Half a surrogate pair, which JSON lets through, would fail every page that it stands on."""
    rig.source.jobs[:] = [PlannedJob(make_id(1), NOON - 60, overrides={"status": "PAUSED\ud800"})]
    rig.source.name = "hr\udfff"
    (job,) = rig.read()
    assert job.status == "PAUSED?"
    assert rig.provider.data_source(rig.id).name == "hr?"


@pytest.mark.parametrize(
    ("kind", "refuses"),
    [("denied", True), ("not_found", True), ("html_not_found", False), ("throttled", False), ("hang", False)],
)
def test_only_the_service_itself_refuses_a_name(rig: Rig, kind: str, *, refuses: bool) -> None:
    """A proxy's error page must not settle a name for good."""
    rig.service.faults.add(kind)
    with pytest.raises(ProviderError) as failed:
        rig.provider.application_name(rig.id.application_id)
    assert failed.value.is_refusal is refuses


OPERATIONS: dict[str, Callable[[Rig], object]] = {
    "ListApplications": lambda rig: rig.provider.applications(),
    "ListIndices": lambda rig: rig.provider.indexes(rig.id.application_id),
    "GetIndex": lambda rig: rig.provider.index(rig.id.index),
    "ListDataSources": lambda rig: rig.provider.data_sources(rig.id.index),
    "GetDataSource": lambda rig: rig.provider.data_source(rig.id),
    "GetApplication": lambda rig: rig.provider.application_name(rig.id.application_id),
    "ListTagsForResource": lambda rig: rig.provider.tags(rig.arn),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "kind",
    [
        "denied", "throttled", "server_error_html", "cut", "hang", "reset", "truncated_json", "empty_body",
        "empty_object", "not_object", "html", "binary", "result_object", "result_text", "result_null", "item_text",
        "same_token", "looping_tokens",
    ],
)  # fmt: skip
def test_a_fault_of_any_operation_is_an_error_of_it(rig: Rig, operation: str, kind: str) -> None:
    """Never an empty answer, and never anything but an error of ours with its reason and operation."""
    (fault,) = (fault for fault in matrix.FAULTS if fault.kind == kind)
    (befallen,) = (known for known in matrix.OPERATIONS if known.name == operation)
    if not matrix.applies(fault, befallen):
        OPERATIONS[operation](rig)  # what makes no difference to it
        return
    rig.service.faults.add(kind, operation=operation)
    with pytest.raises(ProviderError) as failed:
        OPERATIONS[operation](rig)
    assert failed.value.operation == operation
    assert failed.value.reason is not Reason.INTERNAL


def test_what_is_listed_and_described_is_read_with_all_that_is_known(rig: Rig) -> None:
    """Names, types, times and figures, as the service has them."""
    assert rig.provider.applications() == Listing({rig.id.application_id: "intranet"})
    assert rig.provider.indexes(rig.id.application_id) == Listing({rig.id.index_id: "main"})
    listing = rig.provider.data_sources(rig.id.index)
    created = 1_700_000_000.0
    listed = Description("hr", "S3", "ACTIVE", created=created, updated=created)
    assert listing == Listing({rig.id.data_source_id: listed})
    assert rig.provider.data_source(rig.id) == replace(listed, schedule="")
    arn = rig.arn.rpartition("/data-source/")[0]
    assert rig.provider.index(rig.id.index) == IndexFacts("main", "ENTERPRISE", "ACTIVE", arn, 992, 720_135, 1)
    rig.source.tags["team"] = "hr"
    assert rig.provider.tags(rig.arn) == {"team": "hr"}


def test_a_broken_sdk_configuration_is_a_matter_of_credentials(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And no defect of this program."""
    broken = tmp_path / "config"
    broken.write_text("[profile\nnonsense")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(broken))
    with pytest.raises(ProviderError) as failed:
        rig.read()
    assert failed.value.reason is Reason.CREDENTIALS


def test_names_are_read_and_the_connectors_secrets_are_not(rig: Rig) -> None:
    """GetDataSource answers with them."""
    assert rig.provider.application_name(rig.id.application_id) == "intranet"
    described = rig.provider.data_source(rig.id)
    assert (described.name, described.type, described.status, described.schedule) == ("hr", "S3", "ACTIVE", "")
    assert SECRET_MARKER not in repr(described)


def test_without_credentials_it_says_so_and_finds_them_later(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is mounted late is found without a restart."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(ProviderError, match="no AWS credentials found") as failed:
        rig.read()
    assert failed.value.reason is Reason.CREDENTIALS
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "late")
    assert len(rig.read()) == 25
    assert rig.service.requests[-1].access_key == "late"


def test_credentials_that_were_refused_are_read_anew(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rotated ones are found without a restart."""
    monkeypatch.setattr("exporter.aws.client.RENEW_AFTER", 0.0)
    rig.read()
    rig.service.faults.add("expired_token", times=1)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "rotated")
    with pytest.raises(ProviderError):
        rig.read()
    rig.read()
    assert rig.service.requests[-1].access_key == "rotated"


def test_a_role_is_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are signed with its credentials, and the SDK's own reach only STS."""
    rig = Rig(role_arn="arn:aws:iam::444455556666:role/reader", external_id="secret")
    rig.service.api.sts.external_id = "secret"
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", rig.service.url)
    with rig.service:
        rig.read()
    assert [r.access_key for r in rig.service.requests] == ["test", *["ASSUMED-0-444455556666"] * 3]
    assert rig.attempts.operations == ["AssumeRole", *["ListDataSourceSyncJobs"] * 3]


def test_a_role_that_may_not_be_assumed_is_a_matter_of_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempt is counted with its code, and the role is asked for anew until it is given."""
    monkeypatch.setattr("exporter.aws.client.RENEW_AFTER", 0.0)
    rig = Rig(role_arn="arn:aws:iam::444455556666:role/reader")
    rig.service.api.sts.refuses = True
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", rig.service.url)
    with rig.service:
        with pytest.raises(ProviderError, match="not authorized to perform: sts:AssumeRole") as failed:
            rig.read()
        assert failed.value.reason is Reason.CREDENTIALS
        assert rig.attempts.codes == ["AccessDenied"]
        rig.service.api.sts.refuses = False
        assert len(rig.read()) == 25


def test_assumed_credentials_renew_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the service finds them expired."""
    rig = Rig(role_arn="arn:aws:iam::444455556666:role/reader")
    rig.clock.set(time.time())
    rig.service.api.sts.lifetime = 60.0
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", rig.service.url)
    with rig.service:
        for _ in range(3):
            assert len(rig.read()) == 25
            rig.clock.advance(61.0)
    assert len({request.access_key for request in rig.service.requests} - {"test"}) >= 3


def test_credentials_that_came_expired_are_a_matter_of_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """As they seem to be where the host's clock is ahead."""
    rig = Rig(role_arn="arn:aws:iam::444455556666:role/reader")
    rig.clock.set(time.time() - 7200)
    rig.service.api.sts.lifetime = 3600.0
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", rig.service.url)
    with rig.service, pytest.raises(ProviderError, match="still expired") as failed:
        rig.read()
    assert failed.value.reason is Reason.CREDENTIALS


@pytest.mark.parametrize("kind", ["server_error", "html", "empty_body", "binary", "denied", "cut", "hang"])
def test_whatever_sts_answers_is_an_error_of_ours(rig: Rig, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """It speaks XML, and what stands in its place may not."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", rig.service.url)
    rig.service.faults.add(kind, operation="GetCallerIdentity")
    with pytest.raises(ProviderError):
        rig.connection.account()


def test_the_account_is_the_roles_or_whom_sts_says_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role has its account in its ARN, and nobody needs to be asked."""
    rig = Rig(role_arn="arn:aws:iam::444455556666:role/reader")
    with rig.service:
        assert rig.connection.account() == "444455556666"
        assert rig.service.requests == []
    rig = Rig()
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", rig.service.url)
    with rig.service:
        assert rig.connection.account() == "111122223333"
        assert rig.attempts.operations == ["GetCallerIdentity"]
    with pytest.raises(ProviderError) as failed:
        rig.connection.account()
    assert failed.value.reason in {Reason.CONNECTION, Reason.TIMEOUT}
    assert rig.attempts.codes == ["200", "connection"]


def test_a_service_that_is_not_there_is_a_connection_error() -> None:
    """Refused, and not known at all."""
    rig = Rig()
    with rig.service:
        pass
    with pytest.raises(ProviderError) as failed:
        rig.read()
    assert failed.value.reason is Reason.CONNECTION
    assert rig.attempts.codes == ["connection"] * 3


def connect(**target: str) -> AwsClient:
    """Make a connection to a target in AWS itself, which nothing is asked of."""
    return AwsClient(TargetConfig.model_validate(target), PollingConfig(), RequestObserver(), System())


def test_a_target_without_a_region_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to set."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(StartupError, match="target production has no region: set `region` in the configuration"):
        connect(name="production")
    with pytest.raises(StartupError, match=r"The config profile .nobody. could not be found"):
        connect(profile="nobody")


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_region_is_the_sdks_own_where_none_is_given(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Under either of its names."""
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(name, "eu-west-1")
    assert connect().region == "eu-west-1"


def service_model() -> dict[str, Any]:
    """Give botocore's own description of the service."""
    path = files(botocore) / "data/qbusiness/2023-11-27"
    packed = path / "service-2.json.gz"
    if packed.is_file():
        import gzip  # noqa: PLC0415 (older releases ship it unpacked)

        return dict(json.loads(gzip.decompress(packed.read_bytes())))
    return dict(json.loads((path / "service-2.json").read_bytes()))


def test_our_words_are_those_of_the_service_model() -> None:
    """Statuses, error codes, member names and the status filter's name on the wire."""
    shapes = service_model()["shapes"]
    assert set(shapes["DataSourceSyncJobStatus"]["enum"]) == set(SyncJobStatus)
    assert set(shapes["ErrorCode"]["enum"]) == set(ERROR_CODES)
    job = shapes["DataSourceSyncJob"]["members"]
    assert {"executionId", "startTime", "endTime", "status", "error", "dataSourceErrorCode", "metrics"} == set(job)
    metrics = shapes["DataSourceSyncJobMetrics"]["members"]
    assert {f"documents{kind.capitalize()}" for kind in DOCUMENT_KINDS} == set(metrics)
    assert shapes["ListDataSourceSyncJobsRequest"]["members"]["statusFilter"]["locationName"] == "syncStatus"
    assert "history" in shapes["ListDataSourceSyncJobsResponse"]["members"]
    assert set(shapes["DataSourceStatus"]["enum"]) == set(DataSourceStatus)
    assert set(shapes["IndexStatus"]["enum"]) == set(IndexStatus)
    assert {"displayName", "dataSourceId", "type", "createdAt", "updatedAt", "status"} == set(
        shapes["DataSource"]["members"]
    )
    described = shapes["GetIndexResponse"]["members"]
    assert {"displayName", "type", "status", "indexArn", "capacityConfiguration", "indexStatistics"} <= set(described)
    statistics = shapes["TextDocumentStatistics"]["members"]
    assert {"indexedTextBytes", "indexedTextDocumentCount"} == set(statistics)
    assert "syncSchedule" in shapes["GetDataSourceResponse"]["members"]
    operations = service_model()["operations"]
    assert {permission.action for permission in PERMISSIONS} <= set(operations)


@pytest.mark.parametrize(
    ("code", "authorised"),
    [
        ("200", True),
        ("ThrottlingException", True),
        ("InternalServerException", True),
        ("ResourceNotFoundException", True),
        ("ValidationException", True),
        ("AccessDeniedException", False),
        ("403", False),
        ("ExpiredTokenException", False),
        ("InvalidSignatureException", False),
        ("timeout", False),
        ("connection", False),
    ],
)
def test_a_target_is_up_when_it_answered_and_let_us_in(code: str, *, authorised: bool) -> None:
    """An error of the service's own is an answer to someone it knows."""
    assert was_authorised("ListDataSourceSyncJobs", code) is authorised
    assert was_authorised("AssumeRole", code) is None


def test_time_is_not_wasted_on_a_quiet_poll(rig: Rig) -> None:
    """One client serves all requests: it is not made anew for each."""
    rig.read()
    began = time.monotonic()
    for _ in range(20):
        next(rig.provider.sync_jobs(rig.id))
    assert time.monotonic() - began < 2


def test_no_error_quotes_what_may_name_secrets(rig: Rig) -> None:
    """A description that is cut short may begin with hosts."""
    rig.service.faults.add("truncated_json")
    with pytest.raises(ProviderError) as failed:
        rig.provider.data_source(rig.id)
    assert "beginning" not in str(failed.value)
    with pytest.raises(ProviderError, match="beginning"):
        rig.read()
