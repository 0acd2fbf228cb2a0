"""The API of Amazon Kendra over a fleet, without sockets. It validates as strictly as AWS does.

It lists the indexes of all applications of the fleet. Each request is a POST to `/`: a header names the operation, and
the body has all parameters. All errors except faults of the service have the status 400, and their name is in the body.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from exporter.simulator.job_form import JobForm
from exporter.simulator.kendra_demo import demo_fleet
from exporter.simulator.kendra_jobs import from_kendra, to_kendra
from exporter.simulator.kendra_request import ARN_PATH, CONTENT_TYPE, KendraRequest, invalid
from exporter.simulator.listing import is_within, ordered
from exporter.simulator.traits import SimulatorTraits, UnitCapacity
from exporter.simulator.wire import ApiCall, IamPermission, Response, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.simulator.fleet import Fleet, SimulatedDataSource, SimulatedIndex
    from exporter.simulator.wire import Request

SECRET_MARKER = "simulated-kendra-secret"  # noqa: S105 (tests assert that it appears nowhere else)  # nosec B105


class KendraApi:
    """The API over a fleet, with the options of `QBusinessApi`."""

    job_form = JobForm("ListDataSourceSyncJobs", to_kendra, from_kendra)

    def __init__(
        self, fleet: Fleet, order: str = "newest", time_filter: str = "start", paging: str = "shifting"
    ) -> None:
        self.fleet = fleet
        self.order = order
        self.time_filter = time_filter
        self.paging = paging
        self.page_sizes: dict[str, int] = {}  # the largest page of an operation, even if the request asks for more

    def parse_call(self, request: Request) -> ApiCall:
        """Return the call that a request makes; raise ServiceError for an unknown operation or a body without JSON."""
        return KendraRequest(request, 0.0).call

    def handle(self, request: Request, now: float) -> Response:
        """Return the response to a request; raise ServiceError where AWS would return an error."""
        kendra_request = KendraRequest(request, now, self.page_sizes)
        kendra_request.check()
        body = json.dumps(_OPERATIONS[kendra_request.name](self, kendra_request)).encode()
        return Response(200, body, {"Content-Type": CONTENT_TYPE})

    def error_response(self, error: ServiceError) -> Response:
        """Return an error in the format of the service, with its name in the body."""
        members = {key[0].upper() + key[1:]: value for key, value in error.members.items()}
        body = {"__type": f"com.amazonaws.kendra#{error.name}", "Message": str(error), **members}
        status = error.status if error.status >= 500 else 400  # noqa: PLR2004 (faults of the service)
        return Response(status, json.dumps(body).encode(), {"Content-Type": CONTENT_TYPE})

    def permission(self, call: ApiCall) -> IamPermission:
        """Return the permission that a call needs. A permission on a data source must also be allowed on its index."""
        path = [identifier for identifier in (call.index_id, call.data_source_id) if identifier]
        arns = [self.arn(*path[:depth]) for depth in range(1, len(path) + 1)]
        return IamPermission(f"kendra:{call.operation}", [call.arn] if call.arn else arns)

    def arn(self, *path: str) -> str:
        """Return the ARN of an index or a data source; without ids, the common part of all ARNs."""
        resource = "/".join(f"{kind}/{each}" for kind, each in zip(("index", "data-source"), path, strict=False))
        return f"arn:aws:kendra:{self.fleet.region}:{self.fleet.account}:{resource}"

    def indexes(self) -> list[SimulatedIndex]:
        """Return all indexes."""
        return [index for application in self.fleet.applications for index in application.indexes]

    def index(self, identifier: str) -> SimulatedIndex:
        """Return an index; raise ServiceError if it does not exist."""
        index: SimulatedIndex = _find(self.indexes(), identifier, "INDEX")
        return index

    def data_source(self, request: KendraRequest) -> SimulatedDataSource:
        """Return the data source of a request; raise ServiceError if it does not exist."""
        sources = self.index(request.body["IndexId"]).data_sources
        source: SimulatedDataSource = _find(sources, request.body["Id"], "DATA_SOURCE")
        return source


def _find(items: Sequence[Any], identifier: str, kind: str) -> Any:  # noqa: ANN401 (of the items' type)
    found = next((item for item in items if item.id == identifier), None)
    if found is None:
        raise ServiceError("ResourceNotFoundException", 400, f"{kind} {identifier} does not exist")
    return found


def _summary(item: SimulatedIndex | SimulatedDataSource) -> dict[str, Any]:
    names = {"Name": item.name} if item.name else {}
    return {**names, "Id": item.id, "CreatedAt": item.created, "UpdatedAt": item.updated, "Status": item.status}


def _source_summary(source: SimulatedDataSource) -> dict[str, Any]:
    return {**_summary(source), "Type": source.kind.partition(":")[0], "LanguageCode": "en"}


def _list_indices(api: KendraApi, request: KendraRequest) -> dict[str, Any]:
    return request.page_of(
        "IndexConfigurationSummaryItems", api.indexes(), lambda index: {**_summary(index), "Edition": index.kind}
    )


def _describe_index(api: KendraApi, request: KendraRequest) -> dict[str, Any]:
    index = api.index(request.body["Id"])
    counts = {"IndexedTextDocumentsCount": index.documents, "IndexedTextBytes": index.text_bytes}
    return {
        **_summary(index),
        "Edition": index.kind,
        "RoleArn": f"arn:aws:iam::{api.fleet.account}:role/{SECRET_MARKER}",
        "CapacityUnits": {"StorageCapacityUnits": index.units, "QueryCapacityUnits": 0},
        "IndexStatistics": {
            "TextDocumentStatistics": counts,
            "FaqStatistics": {"IndexedQuestionAnswersCount": 0},
        },
    }


def _list_data_sources(api: KendraApi, request: KendraRequest) -> dict[str, Any]:
    return request.page_of("SummaryItems", api.index(request.body["IndexId"]).data_sources, _source_summary)


def _describe_data_source(api: KendraApi, request: KendraRequest) -> dict[str, Any]:
    source = api.data_source(request)
    kind, _, connector = source.kind.partition(":")
    template = {"type": connector, "connectionConfiguration": {"secretArn": SECRET_MARKER}}
    return {
        **_source_summary(source),
        "IndexId": request.body["IndexId"],
        "Schedule": source.schedule,
        "RoleArn": f"arn:aws:iam::{api.fleet.account}:role/{SECRET_MARKER}",
        **({"Configuration": {"TemplateConfiguration": {"Template": template}}} if kind == "TEMPLATE" else {}),
    }


def _list_sync_jobs(api: KendraApi, request: KendraRequest) -> dict[str, Any]:
    source, status, (since, until) = api.data_source(request), request.body.get("StatusFilter"), request.span()
    listed = source.listed_jobs(request.cursor.as_of if api.paging == "stable" else request.now)
    jobs = [
        job
        for job in listed
        if is_within(job, since, until, api.time_filter) and status in {None, job.status(request.now)}
    ]
    return request.page_of("History", ordered(jobs, api.order), lambda job: to_kendra(job.to_json(request.now) or {}))


def _list_tags(api: KendraApi, request: KendraRequest) -> dict[str, Any]:
    arn, prefix = request.body["ResourceARN"], api.arn()
    path = ARN_PATH.fullmatch(arn.removeprefix(prefix))
    if not arn.startswith(prefix) or path is None:
        raise invalid("ResourceARN", "value is not an ARN of a Kendra resource in this account")
    found: Any = api.index(path[1])
    if path[2] is not None:
        found = _find(found.data_sources, path[2], "DATA_SOURCE")
    return {"Tags": [{"Key": key, "Value": value} for key, value in found.tags.items()]}


_OPERATIONS: dict[str, Callable[[KendraApi, KendraRequest], dict[str, Any]]] = {
    "ListIndices": _list_indices,
    "DescribeIndex": _describe_index,
    "ListDataSources": _list_data_sources,
    "DescribeDataSource": _describe_data_source,
    "ListDataSourceSyncJobs": _list_sync_jobs,
    "ListTagsForResource": _list_tags,
}

TRAITS = SimulatorTraits(
    KendraApi,
    demo_fleet,
    "ENTERPRISE_EDITION",
    ("S3", "WEBCRAWLER", "TEMPLATE:SHAREPOINTV2", "TEMPLATE:CONFLUENCEV2", "CUSTOM"),
    capacity=UnitCapacity(100_000, 30_000_000_000, base=1),
    container_statuses=("ACTIVE", "SYSTEM_UPDATING", "UPDATING"),
)
