"""The API of Amazon Q Business over a fleet, without sockets. It validates as strictly as AWS does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.simulator.job_form import JobForm
from exporter.simulator.listing import is_within, ordered
from exporter.simulator.qbusiness_demo import demo_fleet
from exporter.simulator.qbusiness_request import ARN_PATH, QBusinessRequest
from exporter.simulator.traits import SimulatorTraits, UnitCapacity
from exporter.simulator.wire import (
    ApiCall,
    IamPermission,
    Request,
    Response,
    ServiceError,
    error_response,
    json_response,
    not_found_error,
    validation_error,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex

SECRET_MARKER = "simulated-connector-secret"  # noqa: S105 (tests assert that it appears nowhere else)  # nosec B105


class QBusinessApi:
    """The REST API of Amazon Q Business over a fleet.

    AWS does not document three properties of its listings, so each of them can be set. `order` of sync jobs is newest,
    oldest or shuffled. `time_filter` selects jobs by their start (start), or by the overlap of their run with the
    requested span (overlap). `paging` computes each page at the time of its request (shifting), or of the request for
    the first page (stable).
    """

    job_form = JobForm("ListDataSourceSyncJobs")

    def __init__(
        self, fleet: Fleet, order: str = "newest", time_filter: str = "start", paging: str = "shifting"
    ) -> None:
        self.fleet = fleet
        self.order = order
        self.time_filter = time_filter
        self.paging = paging
        self.page_sizes: dict[str, int] = {}  # the largest page of an operation, even if the request asks for more

    def parse_call(self, request: Request) -> ApiCall:
        """Return the call that a request makes; raise ServiceError for an unknown operation."""
        return QBusinessRequest(request, 0.0).call

    def handle(self, request: Request, now: float) -> Response:
        """Return the response to a request; raise ServiceError where AWS would return an error."""
        api_request = QBusinessRequest(request, now, self.page_sizes)
        api_request.check()
        return json_response(_OPERATIONS[api_request.route.operation](self, api_request))

    def error_response(self, error: ServiceError) -> Response:
        """Return an error in the format of the service."""
        return error_response(error)

    def permission(self, call: ApiCall) -> IamPermission:
        """Return the permission that a call needs."""
        path = [identifier for identifier in (call.application_id, call.index_id, call.data_source_id) if identifier]
        arns = [_arn(self, *path[:depth]) for depth in range(1, len(path) + 1)]
        return IamPermission(f"qbusiness:{call.operation}", [call.arn] if call.arn else arns)


def _find(items: Sequence[Any], identifier: str, kind: str) -> Any:  # noqa: ANN401 (of the items' type)
    found = next((item for item in items if item.id == identifier), None)
    if found is None:
        raise not_found_error(kind, identifier)
    return found


def _application(api: QBusinessApi, request: QBusinessRequest) -> SimulatedApplication:
    application: SimulatedApplication = _find(
        api.fleet.applications, request.path_params["application_id"], "APPLICATION"
    )
    return application


def _index(api: QBusinessApi, request: QBusinessRequest) -> SimulatedIndex:
    index: SimulatedIndex = _find(_application(api, request).indexes, request.path_params["index_id"], "INDEX")
    return index


def _data_source(api: QBusinessApi, request: QBusinessRequest) -> SimulatedDataSource:
    data_source: SimulatedDataSource = _find(
        _index(api, request).data_sources, request.path_params["data_source_id"], "DATA_SOURCE"
    )
    return data_source


def _arn(api: QBusinessApi, *path: str) -> str:
    names = ("application", "index", "data-source")
    resource = "/".join(f"{name}/{identifier}" for name, identifier in zip(names, path, strict=False))
    return f"arn:aws:qbusiness:{api.fleet.region}:{api.fleet.account}:{resource}"


def _summary(item: SimulatedApplication | SimulatedIndex | SimulatedDataSource, key: str) -> dict[str, Any]:
    dates = {"createdAt": item.created, "updatedAt": item.updated}
    return {"displayName": item.name, key: item.id, "status": item.status, **dates}


def _application_summary(item: SimulatedApplication) -> dict[str, Any]:
    return {**_summary(item, "applicationId"), "identityType": "AWS_IAM_IDC"}


def _source_summary(item: SimulatedDataSource) -> dict[str, Any]:
    return {**_summary(item, "dataSourceId"), "type": item.kind}


def _list_applications(api: QBusinessApi, request: QBusinessRequest) -> dict[str, Any]:
    return request.page_of("applications", api.fleet.applications, _application_summary)


def _get_application(api: QBusinessApi, request: QBusinessRequest) -> dict[str, Any]:
    application = _application(api, request)
    return {**_application_summary(application), "applicationArn": _arn(api, application.id)}


def _list_indices(api: QBusinessApi, request: QBusinessRequest) -> dict[str, Any]:
    return request.page_of("indices", _application(api, request).indexes, lambda item: _summary(item, "indexId"))


def _get_index(api: QBusinessApi, request: QBusinessRequest) -> dict[str, Any]:
    application, index = _application(api, request), _index(api, request)
    text = {"indexedTextBytes": index.text_bytes, "indexedTextDocumentCount": index.documents}
    return {
        **_summary(index, "indexId"),
        "applicationId": application.id,
        "indexArn": _arn(api, application.id, index.id),
        "type": index.kind,
        "capacityConfiguration": {"units": index.units},
        "indexStatistics": {"textDocumentStatistics": text},
        "error": {},
    }


def _list_data_sources(api: QBusinessApi, request: QBusinessRequest) -> dict[str, Any]:
    return request.page_of("dataSources", _index(api, request).data_sources, _source_summary)


def _get_data_source(api: QBusinessApi, request: QBusinessRequest) -> dict[str, Any]:
    source = _data_source(api, request)
    path = (request.path_params["application_id"], request.path_params["index_id"])
    secret = f"arn:aws:secretsmanager:{api.fleet.region}:{api.fleet.account}:secret:{SECRET_MARKER}"
    return {
        **_source_summary(source),
        "applicationId": path[0],
        "indexId": path[1],
        "dataSourceArn": _arn(api, *path, source.id),
        "syncSchedule": source.schedule,
        "configuration": {
            "type": source.kind,
            "connectionConfiguration": {"secretArn": secret, "host": f"{SECRET_MARKER}.example"},
        },
        "roleArn": f"arn:aws:iam::{api.fleet.account}:role/{SECRET_MARKER}",
        "error": dict(source.error),
    }


def _list_tags(api: QBusinessApi, request: QBusinessRequest) -> dict[str, Any]:
    arn, account_arn = request.path_params["arn"], _arn(api)
    path = ARN_PATH.fullmatch(arn.removeprefix(account_arn))
    if not arn.startswith(account_arn) or path is None:
        message = f"Value {arn!r} at resourceARN is not an ARN of a Q Business resource in this account"
        raise validation_error("resourceARN", message)
    found: Any = api.fleet
    for members, kind, identifier in zip(
        ("applications", "indexes", "data_sources"), ("APPLICATION", "INDEX", "DATA_SOURCE"), path.groups(), strict=True
    ):
        if identifier is not None:
            found = _find(getattr(found, members), identifier, kind)
    return {"tags": [{"key": key, "value": value} for key, value in found.tags.items()]}


def _list_sync_jobs(api: QBusinessApi, request: QBusinessRequest) -> dict[str, Any]:
    source, status = _data_source(api, request), request.status_filter()
    since, until = request.time_filter("startTime"), request.time_filter("endTime")
    listed = source.listed_jobs(request.cursor.as_of if api.paging == "stable" else request.now)
    jobs = [
        job
        for job in listed
        if is_within(job, since, until, api.time_filter) and (status is None or job.status(request.now) == status)
    ]
    return request.page_of("history", ordered(jobs, api.order), lambda job: job.to_json(request.now))


def _list_documents(api: QBusinessApi, request: QBusinessRequest) -> dict[str, Any]:
    sources, wanted = _index(api, request).data_sources, request.source_filter()
    selected = sources if wanted is None else [_find(sources, wanted, "DATA_SOURCE")]
    documents = [document for source in selected for document in list(source.documents)]
    return request.page_of("documentDetailList", documents, lambda document: document.to_json())


_OPERATIONS: dict[str, Callable[[QBusinessApi, QBusinessRequest], dict[str, Any]]] = {
    "ListApplications": _list_applications,
    "GetApplication": _get_application,
    "ListIndices": _list_indices,
    "GetIndex": _get_index,
    "ListDataSources": _list_data_sources,
    "GetDataSource": _get_data_source,
    "ListDataSourceSyncJobs": _list_sync_jobs,
    "ListTagsForResource": _list_tags,
    "ListDocuments": _list_documents,
}

TRAITS = SimulatorTraits(
    QBusinessApi,
    demo_fleet,
    "ENTERPRISE",
    ("S3", "WEBCRAWLERV2", "SHAREPOINTV2", "CONFLUENCEV2", "CUSTOM"),
    capacity=UnitCapacity(20_000, 200_000_000),
)
