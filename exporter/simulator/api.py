"""The API without sockets: a request in, an answer out, as strict as AWS is."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from exporter.simulator.request import ARN_PATH, ApiRequest, Paging
from exporter.simulator.sts import Sts, action_of
from exporter.simulator.wire import Call, Request, Response, ServiceError, answer, invalid, not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.simulator.fleet import Application, DataSource, Fleet, Index
    from exporter.simulator.iam import Policy
    from exporter.simulator.job import PlannedJob

SECRET_MARKER = "simulated-connector-secret"  # noqa: S105 (what must never be seen outside: tests look for it)  # nosec B105


class Api:
    """Q Business's REST API over a fleet; `order`, `reading` and `pages` are what AWS does not promise.

    `order` of a history is newest, oldest or shuffled; `reading` of its time filters is start (the job's start lies
    within) or overlap (its life overlaps); `pages` are shifting (counted anew for each request) or stable (as they
    were when the first was asked for).
    """

    def __init__(self, fleet: Fleet, order: str = "newest", reading: str = "start", pages: str = "shifting") -> None:
        self.fleet = fleet
        self.order = order
        self.reading = reading
        self.pages = pages
        self.sts = Sts(fleet.account)
        self.paging = Paging()
        self.policy: Policy | None = None  # whoever asks may do what it allows; without one, everything

    def understand(self, request: Request) -> Call:
        """Tell what a request asks for; raises ServiceError where there is no such operation."""
        return Call(action_of(request), is_sts=True) if _is_sts(request) else ApiRequest(request, 0.0).call

    def handle(self, request: Request, now: float) -> Response:
        """Answer a request; raises ServiceError where AWS would refuse it."""
        if _is_sts(request):
            return self.sts.handle(request, now)
        asked = ApiRequest(request, now, self.paging)
        asked.check()
        if request.access_key in self.sts.revoked:
            message = "The security token included in the request is invalid"
            raise ServiceError("UnrecognizedClientException", 403, message)
        if self.sts.is_expired(request.access_key, now):
            raise ServiceError("ExpiredTokenException", 403, "The security token included in the request is expired")
        if self.policy:
            self._authorise(self.policy, asked.call)
        return answer(_OPERATIONS[asked.route.operation](self, asked))

    def needed(self, call: Call) -> list[str]:
        """Give the ARNs on all of which an operation has to be allowed."""
        if call.arn:
            return [call.arn]
        path = [identifier for identifier in (call.application_id, call.index_id, call.data_source_id) if identifier]
        return [_arn(self, *path[:depth]) for depth in range(1, len(path) + 1)] or ["*"]

    def _authorise(self, policy: Policy, call: Call) -> None:
        action = f"qbusiness:{call.operation}"
        if not policy.allows(action, self.needed(call)):
            message = f"User is not authorized to perform: {action} on resource: {self.needed(call)[-1]}"
            raise ServiceError("AccessDeniedException", 403, message)


def _is_sts(request: Request) -> bool:
    return request.method == "POST" and request.path == "/"


def _find(items: Sequence[Any], identifier: str, kind: str) -> Any:  # noqa: ANN401 (of the items' type)
    found = next((item for item in items if item.id == identifier), None)
    if found is None:
        raise not_found(kind, identifier)
    return found


def _application(api: Api, asked: ApiRequest) -> Application:
    application: Application = _find(api.fleet.applications, asked.found["application_id"], "APPLICATION")
    return application


def _index(api: Api, asked: ApiRequest) -> Index:
    index: Index = _find(_application(api, asked).indexes, asked.found["index_id"], "INDEX")
    return index


def _data_source(api: Api, asked: ApiRequest) -> DataSource:
    data_source: DataSource = _find(_index(api, asked).data_sources, asked.found["data_source_id"], "DATA_SOURCE")
    return data_source


def _arn(api: Api, *path: str) -> str:
    names = ("application", "index", "data-source")
    resource = "/".join(f"{name}/{identifier}" for name, identifier in zip(names, path, strict=False))
    return f"arn:aws:qbusiness:{api.fleet.region}:{api.fleet.account}:{resource}"


def _summary(item: Application | Index | DataSource, key: str) -> dict[str, Any]:
    dates = {"createdAt": item.created, "updatedAt": item.updated}
    return {"displayName": item.name, key: item.id, "status": item.status, **dates}


def _application_summary(item: Application) -> dict[str, Any]:
    return {**_summary(item, "applicationId"), "identityType": "AWS_IAM_IDC"}


def _source_summary(item: DataSource) -> dict[str, Any]:
    return {**_summary(item, "dataSourceId"), "type": item.kind}


def _list_applications(api: Api, asked: ApiRequest) -> dict[str, Any]:
    return asked.page_of("applications", api.fleet.applications, _application_summary)


def _get_application(api: Api, asked: ApiRequest) -> dict[str, Any]:
    application = _application(api, asked)
    return {**_application_summary(application), "applicationArn": _arn(api, application.id)}


def _list_indices(api: Api, asked: ApiRequest) -> dict[str, Any]:
    return asked.page_of("indices", _application(api, asked).indexes, lambda item: _summary(item, "indexId"))


def _get_index(api: Api, asked: ApiRequest) -> dict[str, Any]:
    application, index = _application(api, asked), _index(api, asked)
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


def _list_data_sources(api: Api, asked: ApiRequest) -> dict[str, Any]:
    return asked.page_of("dataSources", _index(api, asked).data_sources, _source_summary)


def _get_data_source(api: Api, asked: ApiRequest) -> dict[str, Any]:
    source, path = _data_source(api, asked), (asked.found["application_id"], asked.found["index_id"])
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


def _list_tags(api: Api, asked: ApiRequest) -> dict[str, Any]:
    arn, home = asked.found["arn"], _arn(api)
    path = ARN_PATH.fullmatch(arn.removeprefix(home))
    if not arn.startswith(home) or path is None:
        raise invalid("resourceARN", f"Value {arn!r} at resourceARN is no ARN of this account's Q Business")
    found: Any = api.fleet
    for members, kind, identifier in zip(
        ("applications", "indexes", "data_sources"), ("APPLICATION", "INDEX", "DATA_SOURCE"), path.groups(), strict=True
    ):
        if identifier is not None:
            found = _find(getattr(found, members), identifier, kind)
    return {"tags": [{"key": key, "value": value} for key, value in found.tags.items()]}


def _list_sync_jobs(api: Api, asked: ApiRequest) -> dict[str, Any]:
    source, status = _data_source(api, asked), asked.status()
    since, until = asked.moment("startTime"), asked.moment("endTime")
    begun = source.planned(asked.place.as_of if api.pages == "stable" else asked.now)
    jobs = [
        job
        for job in begun
        if _within(job, since, until, api.reading) and (status is None or job.status(asked.now) == status)
    ]
    return asked.page_of("history", _ordered(jobs, api.order), lambda job: job.at(asked.now))


def _ordered(jobs: list[PlannedJob], order: str) -> list[PlannedJob]:
    if order == "shuffled":
        return sorted(jobs, key=lambda job: zlib.crc32(job.execution_id.encode()))
    return sorted(jobs, key=lambda job: job.started, reverse=order == "newest")


def _within(job: PlannedJob, since: float | None, until: float | None, reading: str) -> bool:
    # A filter holds against what the API says, which is rounded.
    last = job.started if reading == "start" else job.ends
    return (since is None or round(last, 3) >= since) and (until is None or round(job.started, 3) <= until)


_OPERATIONS: dict[str, Callable[[Api, ApiRequest], dict[str, Any]]] = {
    "ListApplications": _list_applications,
    "GetApplication": _get_application,
    "ListIndices": _list_indices,
    "GetIndex": _get_index,
    "ListDataSources": _list_data_sources,
    "GetDataSource": _get_data_source,
    "ListDataSourceSyncJobs": _list_sync_jobs,
    "ListTagsForResource": _list_tags,
}
