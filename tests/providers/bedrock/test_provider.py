"""Amazon Bedrock over HTTP: few requests, and each job explained once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exporter.domain.counting.history import fold
from exporter.errors import ProviderError, Reason
from exporter.polling.explainer import Explainer
from exporter.polling.full_read import read_full
from exporter.providers.bedrock.service import BEDROCK
from exporter.simulator.document import SimulatedDocument
from exporter.simulator.job import PlannedJob
from tests.support.builders import NOON, POLICY
from tests.support.provider_rig import CASES, SCOPE, ProviderRig
from tests.support.simulated_target import aws_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.counting.source_history import SourceHistory

__all__ = ["aws_environment"]

(CASE,) = (case for case in CASES if case.service is BEDROCK)
IGNORED = "Ignored 383 files as the associated metadata was larger than service limit of 1024 bytes"


@pytest.fixture
def rig() -> Iterator[ProviderRig]:
    """Yield a provider with one data source, whose service is running."""
    rig = ProviderRig(CASE)
    with rig.endpoint:
        yield rig


def test_every_schedule_reaches_the_provider_through_botocore(rig: ProviderRig) -> None:
    """This includes an undocumented form."""
    found = []
    for schedule in ('{"daily": {}}', '{"monthly": {"dayOfMonth": {"lastDayOfMonth": {}}}}', '{"hourly": {}}'):
        rig.source.schedule = schedule
        found.append(rig.provider.data_source(rig.id).schedule)
    assert found == ["every day", "monthly on the last day", "hourly"]


def test_an_idle_poll_is_one_request(rig: ProviderRig) -> None:
    """Jobs are sorted, so that reading stops at the first one that is too old."""
    assert len(rig.read_jobs(since=NOON - 700)) == 2
    assert rig.observer.operations == ["ListIngestionJobs"]


@pytest.mark.parametrize("order", ["oldest", "shuffled"])
def test_a_listing_in_another_order_is_read_to_its_end(order: str) -> None:
    """No job is lost if AWS does not sort."""
    rig = ProviderRig(CASE, order=order)
    with rig.endpoint:
        assert len(rig.read_jobs(since=NOON - 5 * 600, until=NOON - 600)) == 4
    assert rig.observer.operations == ["ListIngestionJobs"] * 3


def test_each_status_of_the_service_has_its_own_request(rig: ProviderRig) -> None:
    """AWS does not document what a filter with several words selects. A status without a word needs no request."""
    starting = PlannedJob("SSSSSSSSSS", NOON - 1, outcome=None)
    rig.source.jobs += [starting, PlannedJob("RRRRRRRRRR", NOON - 99, outcome=None)]
    assert {job.execution_id for job in rig.read_jobs(status="SYNCING")} == {"SSSSSSSSSS", "RRRRRRRRRR"}
    assert rig.read_jobs(status="SYNCING_INDEXING") == []
    assert [request.call.status for request in rig.endpoint.requests] == ["STARTING", "IN_PROGRESS"]


def poll(rig: ProviderRig, history: SourceHistory | None = None) -> SourceHistory:
    """Poll the source of a rig once, in full."""

    def list_jobs(**filters: Any) -> Any:
        return rig.provider.sync_jobs(rig.id, **filters)

    data = read_full(list_jobs, POLICY.window, history)
    return fold(history, Explainer(rig.provider).explain(rig.id, history, data), POLICY)


def test_each_job_is_explained_once_in_its_life(rig: ProviderRig) -> None:
    """Two jobs of a source may run at the same time. Ended jobs are counted by their actual outcome."""
    rig.source.jobs = [
        PlannedJob("GOODGOODGO", NOON - 20, 30, 30, documents={"scanned": 9, "added": 9}),
        PlannedJob("EMPTYEMPTY", NOON - 10, 30, 30, documents={"scanned": 383}, error_message=IGNORED),
    ]
    history = poll(rig)
    assert len(history.jobs_in_progress()) == 2
    rig.clock.advance(600)
    for _ in range(3):
        history = poll(rig, history)
    assert dict(history.completed) == {"SUCCEEDED": 1, "INCOMPLETE": 1}
    assert rig.observer.operations.count("GetIngestionJob") == 2
    last = history.last_completed()
    assert last is not None
    assert (last.error_message, last.error_code, last.has_failure_reasons) == (IGNORED, "MetadataIgnored", True)
    assert history.consecutive_without_content() == 1


@pytest.mark.parametrize("kind", ["denied", "not_found"])
def test_an_outcome_that_aws_refuses_is_incomplete(rig: ProviderRig, kind: str) -> None:
    """It is unknown. The job has the reason as its error, and is not requested again."""
    rig.source.jobs = [PlannedJob("GOODGOODGO", NOON - 20, 30, 30)]
    history = poll(rig)
    rig.clock.advance(600)
    rig.endpoint.faults.add(kind, operation="GetIngestionJob")
    for _ in range(2):
        history = poll(rig, history)
    assert dict(history.completed) == {"INCOMPLETE": 1}
    assert rig.observer.operations.count("GetIngestionJob") == 1
    last = history.last_completed()
    assert last is not None
    assert last.error_message.startswith("outcome unknown: GetIngestionJob")


def test_a_knowledge_base_is_requested_again_only_after_an_update(rig: ProviderRig) -> None:
    """An account may have 10,000 of them."""
    container = rig.id.container
    for updated in (1.0, 1.0, 2.0):
        rig.index.updated = updated
        rig.provider.containers(None)
        rig.provider.container(container)
    assert rig.observer.operations.count("GetKnowledgeBase") == 2
    assert rig.provider.container_name(container) == "main"
    assert rig.provider.container(container).arn == f"arn:aws:bedrock:us-east-1:111122223333:{_resource(rig)}"


def _resource(rig: ProviderRig) -> str:
    return f"knowledge-base/{rig.id.root.own}"


@pytest.mark.parametrize("kind", ["KENDRA", "SQL"])
def test_a_knowledge_base_without_data_sources_is_healthy(rig: ProviderRig, kind: str) -> None:
    """Knowledge bases of Kendra have their data sources in Kendra."""
    rig.index.kind, rig.index.data_sources = kind, []
    assert rig.provider.container(rig.id.container).type == kind
    assert rig.provider.data_sources(rig.id.container).items == {}


def test_a_source_without_jobs_is_healthy(rig: ProviderRig) -> None:
    """The content of a CUSTOM one changes without ingestion jobs."""
    rig.source.jobs, rig.source.kind = [], "CUSTOM"
    history = poll(rig)
    assert (history.jobs_newest_first(), rig.provider.data_source(rig.id).type) == ([], "CUSTOM")


def test_documents_are_listed_page_by_page(rig: ProviderRig) -> None:
    """Their ids are addresses of files, or chosen by a caller of the API."""
    rig.endpoint.api.page_sizes = {"ListKnowledgeBaseDocuments": 2}
    rig.source.documents = [
        SimulatedDocument("s3://bucket/a", "FAILED", error_message="too large", updated=NOON),
        SimulatedDocument("custom-1"),
        SimulatedDocument("b", overrides={"status": None}),
    ]
    first = rig.provider.documents(rig.id)
    second = rig.provider.documents(rig.id, first.next_token)
    assert [(each.id, each.status, each.error_message) for each in first.documents] == [
        ("s3://bucket/a", "FAILED", "too large"),
        ("custom-1", "INDEXED", ""),
    ]
    assert (second.documents, second.next_token, second.warnings) == ((), "", ("entry without status ignored",))


def test_a_response_without_tags_is_an_error(rig: ProviderRig) -> None:
    """Tags are an object here, and not a list."""
    rig.endpoint.faults.add("empty_object", operation="ListTagsForResource")
    with pytest.raises(ProviderError, match="expected an object in `tags`, got no such key") as error:
        rig.provider.tags(rig.id, SCOPE)
    assert error.value.reason is Reason.MALFORMED_RESPONSE
