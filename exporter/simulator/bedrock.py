"""The API of Amazon Bedrock knowledge bases over a fleet, without sockets. It validates as strictly as AWS does.

Its knowledge bases are the indexes of all applications of the fleet. Ids that do not have AWS's form are replaced by
constant ids. If the type of a data source has a connector, as in `MANAGED:SHAREPOINT`, the data source belongs to a
managed knowledge base, and its schedule is a JSON object such as `{"daily": {}}`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from exporter.simulator.bedrock_demo import demo_fleet
from exporter.simulator.bedrock_jobs import as_ingested, failure_reasons, from_bedrock, to_bedrock, to_text, wire_id
from exporter.simulator.bedrock_request import ARN_PATH, BedrockRequest
from exporter.simulator.job_form import JobForm
from exporter.simulator.listing import ordered
from exporter.simulator.traits import SimulatorTraits
from exporter.simulator.units import HOUR, MINUTE
from exporter.simulator.wire import IamPermission, error_response, json_response, not_found_error, validation_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.simulator.fleet import Fleet, SimulatedDataSource, SimulatedIndex
    from exporter.simulator.job import PlannedJob
    from exporter.simulator.wire import ApiCall, Request, Response, ServiceError

SECRET_MARKER = "simulated-bedrock-secret"  # noqa: S105 (tests assert that it appears nowhere else)  # nosec B105
STARTING_SECONDS = 2.0
_TERMINAL = {"COMPLETE", "FAILED", "STOPPED"}


class BedrockApi:
    """The API over a fleet.

    With the `order` newest, jobs are in the order that the request specifies. With oldest or shuffled, they are in that
    order for all requests. `paging` is as in `QBusinessApi`. `time_filter` is ignored, because the API has none.
    """

    job_form = JobForm("ListIngestionJobs", to_bedrock, from_bedrock)

    def __init__(
        self, fleet: Fleet, order: str = "newest", time_filter: str = "start", paging: str = "shifting"
    ) -> None:
        del time_filter
        self.fleet = fleet
        self.order = order
        self.paging = paging
        self.page_sizes: dict[str, int] = {}  # the largest page of an operation, even if the request asks for more

    def parse_call(self, request: Request) -> ApiCall:
        """Return the call that a request makes; raise ServiceError for an unknown operation or a body without JSON."""
        return BedrockRequest(request, 0.0).call

    def handle(self, request: Request, now: float) -> Response:
        """Return the response to a request; raise ServiceError where AWS would return an error."""
        bedrock_request = BedrockRequest(request, now, self.page_sizes)
        bedrock_request.check()
        return json_response(_OPERATIONS[bedrock_request.route.operation](self, bedrock_request))

    def error_response(self, error: ServiceError) -> Response:
        """Return an error in the format of the service."""
        return error_response(error)

    def permission(self, call: ApiCall) -> IamPermission:
        """Return the permission that a call needs. Data sources have no ARNs."""
        return IamPermission(f"bedrock:{call.operation}", [self.arn(call.index_id)] if call.index_id else [])

    def knowledge_bases(self) -> list[SimulatedIndex]:
        """Return all knowledge bases."""
        return [index for application in self.fleet.applications for index in application.indexes]

    def knowledge_base(self, request: BedrockRequest) -> SimulatedIndex:
        """Return the knowledge base of a request; raise ServiceError if it does not exist."""
        found: SimulatedIndex = _find(self.knowledge_bases(), request.ids["knowledge_base"], "KNOWLEDGE_BASE")
        return found

    def data_source(self, request: BedrockRequest) -> SimulatedDataSource:
        """Return the data source of a request; raise ServiceError if it does not exist."""
        sources = self.knowledge_base(request).data_sources
        found: SimulatedDataSource = _find(sources, request.ids["data_source"], "DATA_SOURCE")
        return found

    def arn(self, identifier: str) -> str:
        """Return the ARN of a knowledge base."""
        return f"arn:aws:bedrock:{self.fleet.region}:{self.fleet.account}:knowledge-base/{identifier}"


def _find(items: Sequence[Any], identifier: str, kind: str) -> Any:  # noqa: ANN401 (of the items' type)
    found = next((item for item in items if wire_id(item.id) == identifier), None)
    if found is None:
        raise not_found_error(kind, identifier)
    return found


def _summary(item: SimulatedIndex | SimulatedDataSource, key: str) -> dict[str, Any]:
    status = "AVAILABLE" if key == "dataSourceId" and item.status == "ACTIVE" else item.status
    return {key: wire_id(item.id), "name": item.name, "status": status, "updatedAt": to_text(item.updated)}


def _list_knowledge_bases(api: BedrockApi, request: BedrockRequest) -> dict[str, Any]:
    return request.page_of(
        "knowledgeBaseSummaries", api.knowledge_bases(), lambda item: _summary(item, "knowledgeBaseId")
    )


def _get_knowledge_base(api: BedrockApi, request: BedrockRequest) -> dict[str, Any]:
    found = api.knowledge_base(request)
    secret = f"arn:aws:secretsmanager:{api.fleet.region}:{api.fleet.account}:secret:{SECRET_MARKER}"
    storage = {"endpoint": f"{SECRET_MARKER}.example", "credentialsSecretArn": secret}
    details = {
        **_summary(found, "knowledgeBaseId"),
        "knowledgeBaseArn": api.arn(wire_id(found.id)),
        "roleArn": f"arn:aws:iam::{api.fleet.account}:role/{SECRET_MARKER}",
        "createdAt": to_text(found.created),
        "knowledgeBaseConfiguration": {"type": found.kind},
        "storageConfiguration": {"type": "MONGO_DB_ATLAS", "mongoDbAtlasConfiguration": storage},
    }
    return {"knowledgeBase": details}


def _list_data_sources(api: BedrockApi, request: BedrockRequest) -> dict[str, Any]:
    found = api.knowledge_base(request)
    return request.page_of("dataSourceSummaries", found.data_sources, lambda item: _source_summary(found, item))


def _source_summary(knowledge_base: SimulatedIndex, item: SimulatedDataSource) -> dict[str, Any]:
    return {**_summary(item, "dataSourceId"), "knowledgeBaseId": wire_id(knowledge_base.id)}


def _get_data_source(api: BedrockApi, request: BedrockRequest) -> dict[str, Any]:
    source = api.data_source(request)
    details = {
        **_source_summary(api.knowledge_base(request), source),
        "createdAt": to_text(source.created),
        "dataDeletionPolicy": "DELETE",
        "dataSourceConfiguration": _configuration(source),
    }
    return {"dataSource": details}


def _configuration(source: SimulatedDataSource) -> dict[str, Any]:
    kind, _, connector = source.kind.partition(":")
    if not connector:
        return {"type": kind}
    parameters = {"type": connector, "version": "1", "secretArn": SECRET_MARKER}
    schedule = {"syncSchedule": json.loads(source.schedule)} if source.schedule else {}
    return {
        "type": "MANAGED_KNOWLEDGE_BASE_CONNECTOR",
        "managedKnowledgeBaseConnectorConfiguration": {"connectorParameters": parameters, **schedule},
    }


def _list_ingestion_jobs(api: BedrockApi, request: BedrockRequest) -> dict[str, Any]:
    source, statuses = api.data_source(request), request.status_filter()
    listed = source.listed_jobs(request.cursor.as_of if api.paging == "stable" else request.now)
    order = api.order if request.is_newest_first() else "shuffled"
    jobs = [job for job in ordered(listed, order) if not statuses or _job(request, job)["status"] in statuses]
    return request.page_of("ingestionJobSummaries", jobs, lambda job: _job(request, job))


def _get_ingestion_job(api: BedrockApi, request: BedrockRequest) -> dict[str, Any]:
    identifier = request.ids["ingestion_job"]
    jobs = api.data_source(request).listed_jobs(request.now)
    found = next((job for job in jobs if wire_id(job.execution_id) == identifier), None)
    if found is None:
        raise not_found_error("INGESTION_JOB", identifier)
    return {"ingestionJob": {**_job(request, found), **failure_reasons(found.to_json(request.now) or {})}}


def _job(request: BedrockRequest, job: PlannedJob) -> dict[str, Any]:
    # The API reports all counts of every job, from its start.
    found = to_bedrock({"metrics": {}, **(job.to_json(request.now) or {})}, request.now)
    if found["status"] not in _TERMINAL:
        found["updatedAt"] = to_text(request.now)
        if request.now - round(job.started, 3) < STARTING_SECONDS:
            found["status"] = "STARTING"
    return {"knowledgeBaseId": request.ids["knowledge_base"], "dataSourceId": request.ids["data_source"], **found}


def _list_tags(api: BedrockApi, request: BedrockRequest) -> dict[str, Any]:
    arn, prefix = request.ids["arn"], f"arn:aws:bedrock:{api.fleet.region}:{api.fleet.account}:"
    path = ARN_PATH.fullmatch(arn.removeprefix(prefix))
    if not arn.startswith(prefix) or path is None:
        raise validation_error("resourceArn", f"Value {arn!r} is not an ARN of a knowledge base in this account")
    return {"tags": dict(_find(api.knowledge_bases(), path[1], "KNOWLEDGE_BASE").tags)}


def _list_documents(api: BedrockApi, request: BedrockRequest) -> dict[str, Any]:
    source = api.data_source(request)
    ids = {"knowledgeBaseId": request.ids["knowledge_base"], "dataSourceId": request.ids["data_source"]}
    return request.page_of("documentDetails", list(source.documents), lambda each: {**ids, **each.to_bedrock()})


_OPERATIONS: dict[str, Callable[[BedrockApi, BedrockRequest], dict[str, Any]]] = {
    "ListKnowledgeBases": _list_knowledge_bases,
    "GetKnowledgeBase": _get_knowledge_base,
    "ListDataSources": _list_data_sources,
    "GetDataSource": _get_data_source,
    "ListIngestionJobs": _list_ingestion_jobs,
    "GetIngestionJob": _get_ingestion_job,
    "ListTagsForResource": _list_tags,
    "ListKnowledgeBaseDocuments": _list_documents,
}

TRAITS = SimulatorTraits(
    BedrockApi,
    demo_fleet,
    "MANAGED",
    ("S3", "WEB", "MANAGED:SHAREPOINT", "MANAGED:CONFLUENCE", "CUSTOM"),
    schedules=(
        "",
        '{"daily": {}}',
        '{"weekly": {"dayOfWeek": "MONDAY"}}',
        '{"monthly": {"dayOfMonth": {"dayNumber": 1}}}',
    ),
    container_statuses=("ACTIVE", "UPDATING", "UPDATE_UNSUCCESSFUL"),
    kinds_without_jobs=frozenset({"CUSTOM"}),
    busy_periods=(30 * MINUTE, 2 * HOUR),  # each job takes a request
    long_share=0.2,
    wire_id=wire_id,
    reported=as_ingested,
)
