"""Every provider over HTTP, against the simulated API of its service."""

from __future__ import annotations

from functools import cache, reduce
from typing import TYPE_CHECKING

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from exporter.aws.policy import policy_statements
from exporter.config import parse_target
from exporter.domain.model import DOCUMENT_KINDS, SyncJobStatus
from exporter.domain.service import Use
from exporter.errors import ProviderError, Reason
from tests.support.builders import NOON
from tests.support.faults import cases
from tests.support.iam import Policy
from tests.support.provider_rig import CASES, JOBS, SCOPE, ProviderRig
from tests.support.simulated_target import aws_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from exporter.domain.service import Service
    from tests.support.service_case import ServiceCase

__all__ = ["aws_environment"]

FAULTS = {fault.kind: fault for fault in cases.FAULTS if fault.reason}
OF_EVERY_RESPONSE = ("denied", "throttled", "not_found", "server_error", "truncated_json", "html", "not_object")
OF_LISTS = ("empty_object", "result_object", "result_null")
ACTIONS = [(case, permission.action) for case in CASES for permission in case.service.permissions]
of_every_service = pytest.mark.parametrize("case", CASES, ids=str)
of_every_action = pytest.mark.parametrize(("case", "action"), ACTIONS, ids=str)


@pytest.fixture(scope="module")
def rigs() -> Iterator[dict[str, ProviderRig]]:
    """Yield a rig of each service, which tests share if they do not change it."""
    found = {case.service.name: ProviderRig(case) for case in CASES}
    for rig in found.values():
        rig.endpoint.start()
    yield found
    for rig in found.values():
        rig.endpoint.stop()


@cache
def model_of(service: Service) -> Any:
    """Return botocore's description of a service."""
    return ServiceModel(Loader().load_service_model(service.client, "service-2"))


def returns_a_list(case: ServiceCase, action: str) -> bool:
    """Return whether an action lists something. The tags of Bedrock are an object."""
    members = model_of(case.service).operation_model(action).output_shape.members.values()
    return action.startswith("List") and any(shape.type_name == "list" for shape in members)


@of_every_service
@pytest.mark.parametrize("order", ["newest", "oldest", "shuffled"])
def test_every_job_is_read_once_in_any_order(case: ServiceCase, order: str) -> None:
    """The order of a listing is not promised."""
    rig = ProviderRig(case, order=order)
    with rig.endpoint:
        found = rig.read_jobs()
        outcomes = {(job.status, job.duration) for job in rig.explained(found)}
    assert sorted(job.execution_id for job in found) == sorted(job.execution_id for job in rig.source.jobs)
    assert {job.documents.added for job in found} == set(range(JOBS))
    assert outcomes == {("SUCCEEDED", 60.0)}


@of_every_service
def test_the_service_filters_by_time_and_status(rigs: dict[str, ProviderRig], case: ServiceCase) -> None:
    """An idle poll reads only what is new."""
    rig = rigs[str(case)]
    assert len(rig.read_jobs(since=NOON - 5 * 600)) == 5
    assert len(rig.read_jobs(since=NOON - 5 * 600, until=NOON - 3 * 600)) == 2
    assert rig.read_jobs(status="FAILED") == []


@of_every_service
def test_everything_about_a_source_is_read(rigs: dict[str, ProviderRig], case: ServiceCase) -> None:
    """Names, types, times, sizes and tags come from the service. Secrets of the connector are left out."""
    rig = rigs[str(case)]
    facts = rig.provider.container(rig.id.container)
    assert (facts.name, facts.type, facts.status) == ("main", case.index_type, case.statuses[0])
    assert facts.documents == case.documents
    assert rig.provider.containers(None).items.keys() == {rig.id.root.own}
    assert rig.provider.container_name(rig.id.container) == "main"
    (listed,) = rig.provider.data_sources(rig.id.container).items.values()
    described = rig.provider.data_source(rig.id)
    assert (described.name, described.type, described.status) == ("hr", case.source_types[1], case.statuses[1])
    assert (listed.schedule, described.schedule) == (None, "")
    assert case.secret not in repr((facts, listed, described))
    assert rig.provider.tags(rig.id, SCOPE) == {"team": "hr"}


@of_every_service
def test_every_attempt_is_limited_and_counted(rigs: dict[str, ProviderRig], case: ServiceCase) -> None:
    """Each request of each action passes the hooks of the client, and each action is used."""
    rig = rigs[str(case)]
    attempts, requests = len(rig.observer.operations), len(rig.endpoint.requests)
    for call in rig.calls().values():
        call()
    recorded = rig.observer.operations[attempts:]
    assert recorded == [request.call.operation for request in rig.endpoint.requests[requests:]]
    assert set(recorded) == {permission.action for permission in case.service.permissions}


@of_every_service
def test_the_policy_allows_exactly_what_is_requested(rigs: dict[str, ProviderRig], case: ServiceCase) -> None:
    """With the policy of all actions no request is denied; without one of its actions or resources, one would be."""
    rig, service = rigs[str(case)], case.service
    ids = {level.key: identifier for level, identifier in zip(service.levels, rig.id.path, strict=True)}
    target = parse_target({"service": service.name, "data_sources": [ids]})
    statements = list(policy_statements(target, SCOPE, service.permissions, ""))
    policy, before = Policy({"Statement": statements}), len(rig.endpoint.requests)
    rig.endpoint.policy = policy
    try:
        for call in rig.calls().values():
            call()
    finally:
        rig.endpoint.policy = None
    needed = [rig.endpoint.api.permission(request.call) for request in rig.endpoint.requests[before:]]
    for less in policy.reduced():
        assert any(not less.allows(each.action, each.resources) for each in needed), less


@of_every_service
def test_a_request_without_permission_is_denied(rigs: dict[str, ProviderRig], case: ServiceCase) -> None:
    """Each action is reported as denied under its own name."""
    rig = rigs[str(case)]
    rig.endpoint.policy = Policy({"Statement": []})
    try:
        for action, call in rig.calls().items():
            if case.service.has(Use.SYNC_JOB) and action == case.service.action(Use.SYNC_JOB):
                continue  # it is about a job of a listing, which is denied
            with pytest.raises(ProviderError) as error:
                call()
            assert (error.value.reason, error.value.operation) == (Reason.ACCESS_DENIED, action)
    finally:
        rig.endpoint.policy = None


@of_every_action
@pytest.mark.parametrize("kind", [*OF_EVERY_RESPONSE, *OF_LISTS])
def test_no_fault_is_an_empty_response(rigs: dict[str, ProviderRig], case: ServiceCase, action: str, kind: str) -> None:
    """It is an error with its operation and the same reason in every service, for every HTTP status."""
    rig = rigs[str(case)]
    rig.endpoint.faults.add(kind, operation=action)
    try:
        if kind in OF_LISTS and not returns_a_list(case, action):
            return
        with pytest.raises(ProviderError) as error:
            rig.calls()[action]()
    finally:
        rig.endpoint.faults.clear()
    assert (error.value.reason, error.value.operation) == (FAULTS[kind].reason, action)


@of_every_service
@pytest.mark.parametrize("kind", ["same_token", "looping_tokens"])
def test_a_listing_that_does_not_end_is_an_error(rigs: dict[str, ProviderRig], case: ServiceCase, kind: str) -> None:
    """The reader does not follow tokens that lead in a circle."""
    rig = rigs[str(case)]
    rig.endpoint.faults.add(kind)
    try:
        with pytest.raises(ProviderError) as error:
            rig.read_jobs()
    finally:
        rig.endpoint.faults.clear()
    assert error.value.reason is Reason.PAGINATION


@of_every_service
@pytest.mark.parametrize(
    ("kind", "jobs", "warns"),
    [
        ("no_execution_id", 0, True),
        ("milliseconds", 0, True),
        ("start_in_words", 0, True),
        ("start_object", 0, True),
        ("status_number", 0, True),
        ("entry_text", JOBS, True),
        ("metrics_text", JOBS, True),
        ("metrics_list", JOBS, True),
        ("figures_in_words", JOBS, True),
        ("fractional_figures", JOBS, True),
        ("end_before_start", JOBS, True),
        ("no_metrics", JOBS, False),
        ("unknown_status", JOBS, False),
    ],
)
def test_unusable_jobs_are_skipped_with_a_warning(
    rigs: dict[str, ProviderRig], case: ServiceCase, kind: str, jobs: int, *, warns: bool
) -> None:
    """The usable parts of a job are used. An undocumented status is accepted."""
    rig = rigs[str(case)]
    rig.endpoint.faults.add(kind)
    try:
        pages = list(rig.provider.sync_jobs(rig.id))
    finally:
        rig.endpoint.faults.clear()
    assert sum(len(page.jobs) for page in pages) == jobs
    assert all(bool(page.warnings) is warns for page in pages)


@of_every_service
def test_ids_of_every_valid_form_are_read(case: ServiceCase) -> None:
    """A data source of Kendra may have an id of 100 characters with underscores."""
    rig = ProviderRig(case, source_id=case.extreme_id)
    with rig.endpoint:
        assert len(rig.read_jobs()) == JOBS
        assert rig.provider.tags(rig.id, SCOPE) == {"team": "hr"}


@of_every_service
def test_the_words_of_the_service_are_those_of_its_api(case: ServiceCase) -> None:
    """Statuses, codes and members are compared with botocore's description."""
    service, model, shapes = case.service, model_of(case.service), case.shapes
    assert set(model.shape_for("DataSourceStatus").enum) == set(service.source_statuses)
    assert set(model.shape_for(shapes.container_status).enum) == set(service.container_statuses)
    assert set(model.shape_for(shapes.container_type).enum) == set(service.container_types)
    if service.has(Use.DOCUMENTS):
        assert set(model.shape_for("DocumentStatus").enum) == set(service.document_statuses)
    counts = dict(service.members.document_counts)
    assert counts.keys() <= set(DOCUMENT_KINDS)
    assert set(counts.values()) == set(model.shape_for(shapes.job_counts).members)
    assert {service.members.started, service.members.ended} <= set(model.shape_for(shapes.job).members)
    response = model.operation_model(service.action(Use.SOURCE)).output_shape
    with_schedule = reduce(lambda shape, name: shape.members[name], shapes.schedule, response)
    assert service.members.schedule in with_schedule.members
    described = response.members[shapes.schedule[0]] if shapes.schedule else response
    assert {service.members.created, service.members.updated} <= set(described.members)
    if shapes.error_code:
        assert set(model.shape_for("DataSourceSyncJobStatus").enum) == set(SyncJobStatus)
        assert set(model.shape_for(shapes.error_code).enum) == set(service.error_codes)
    if shapes.container_sizes:
        sizes = {service.members.container_documents, service.members.container_text_bytes}
        assert set(model.shape_for(shapes.container_sizes).members) == sizes
