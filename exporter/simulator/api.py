"""The API without sockets: a request in, an answer out, as strict as AWS is."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from exporter.simulator.wire import Call, Request, Response, ServiceError, answer, invalid, not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.simulator.fleet import Application, DataSource, Fleet, Index
    from exporter.simulator.life import PlannedJob

SECRET_MARKER = "simulated-connector-secret"  # noqa: S105 (what must never be seen outside: tests look for it)
STATUSES = ("FAILED", "SUCCEEDED", "SYNCING", "INCOMPLETE", "STOPPING", "ABORTED", "SYNCING_INDEXING")
DEFAULT_PAGE = 10
_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9-]{35}")
_ROUTES: tuple[tuple[str, str, int], ...] = (  # operation, path, largest page
    ("ListApplications", "/applications", 100),
    ("GetApplication", "/applications/{application_id}", 0),
    ("ListIndices", "/applications/{application_id}/indices", 100),
    ("GetIndex", "/applications/{application_id}/indices/{index_id}", 0),
    ("ListDataSources", "/applications/{application_id}/indices/{index_id}/datasources", 10),
    ("GetDataSource", "/applications/{application_id}/indices/{index_id}/datasources/{data_source_id}", 0),
    (
        "ListDataSourceSyncJobs",
        "/applications/{application_id}/indices/{index_id}/datasources/{data_source_id}/syncjobs",
        10,
    ),
    ("ListTagsForResource", "/v1/tags/{arn}", 0),
)
_PATTERNS = [
    (
        name,
        re.compile(re.sub(r"\{(\w+)\}", lambda m: f"(?P<{m[1]}>{'.+' if m[1] == 'arn' else '[^/]*'})", path)),
        largest,
    )
    for name, path, largest in _ROUTES
]


class Api:
    """Q Business's REST API over a fleet; `order` and `reading` are what AWS does not promise.

    `order` of a history is newest, oldest or shuffled; `reading` of its time filters is start (the job's start lies
    within) or overlap (its life overlaps).
    """

    def __init__(self, fleet: Fleet, order: str = "newest", reading: str = "start") -> None:
        self.fleet = fleet
        self.order = order
        self.reading = reading

    def understand(self, request: Request) -> Call:
        """Tell what a request asks for; raises ServiceError where AWS would refuse it."""
        call, *_ = self._understand(request)
        return call

    def handle(self, request: Request, now: float) -> Response:
        """Answer a request; raises ServiceError where AWS would refuse it."""
        if request.method == "POST" and request.path == "/":
            return self._security_token_service(request)
        call, largest, found = self._understand(request)
        if "/qbusiness/aws4_request" not in request.headers.get("authorization", ""):
            raise ServiceError("MissingAuthenticationTokenException", 403, "Missing Authentication Token")
        return answer(_OPERATIONS[call.operation](self, _Asked(call, request, largest, found, now)))

    def _understand(self, request: Request) -> tuple[Call, int, dict[str, str]]:
        for operation, pattern, largest in _PATTERNS:
            found = pattern.fullmatch(request.path)
            if found and request.method == "GET":
                ids = {key: value for key, value in found.groupdict().items() if key != "arn"}
                for key, value in ids.items():
                    if not _ID.fullmatch(value):
                        raise invalid(key, f"Value {value!r} at {key} failed to satisfy constraint: {_ID.pattern}")
                token = request.query.get("nextToken")
                page = _offset(token)[0] + 1 if token else 1
                status, since = request.query.get("syncStatus"), _time(request, "startTime")
                return Call(operation, **ids, page=page, status=status, since=since), largest, found.groupdict()
        raise ServiceError("UnknownOperationException", 404, f"no operation at {request.method} {request.path}")

    def _security_token_service(self, request: Request) -> Response:
        action = parse_qs(request.body).get("Action", [""])[0]
        account = self.fleet.account
        arn = f"arn:aws:sts::{account}:assumed-role/simulated/session"
        results = {
            "GetCallerIdentity": f"<Arn>{arn}</Arn><UserId>AROA:session</UserId><Account>{account}</Account>",
            "AssumeRole": (
                "<Credentials><AccessKeyId>ASSUMED</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>"
                "<SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
                f"<AssumedRoleUser><AssumedRoleId>AROA:session</AssumedRoleId><Arn>{arn}</Arn></AssumedRoleUser>"
            ),
        }
        if action not in results:
            raise ServiceError("InvalidAction", 400, f"no action {action!r}")
        body = f"<{action}Response><{action}Result>{results[action]}</{action}Result></{action}Response>"
        return Response(200, body.encode(), {"Content-Type": "text/xml"})


class _Asked:
    """A request that is being answered."""

    def __init__(self, call: Call, request: Request, largest: int, found: dict[str, str], now: float) -> None:
        self.call = call
        self.request = request
        self.largest = largest
        self.found = found
        self.now = now

    def page_of(self, key: str, items: Sequence[Any], render: Callable[[Any], Any], *filters: str) -> dict[str, Any]:
        """Answer with the page that was asked for; a token is good for the same question only."""
        _refuse_unknown(self.request, {"nextToken", "maxResults", *filters})
        size = _page_size(self.request, self.largest)
        asked = {name: value for name, value in self.request.query.items() if name not in {"nextToken", "maxResults"}}
        question = hashlib.sha256(json.dumps([self.request.path, asked]).encode()).hexdigest()[:16]
        page, offset, of = _offset(self.request.query.get("nextToken"))
        if page and of != question:
            raise invalid("nextToken", "The token is not one of this question")
        rest = items[offset : offset + size]
        more = {"nextToken": _token(page + 1, offset + size, question)} if offset + size < len(items) else {}
        return {key: [render(item) for item in rest], **more}


def _token(page: int, offset: int, question: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([page, offset, question]).encode()).decode()


def _offset(token: str | None) -> tuple[int, int, str]:
    if token is None:
        return 0, 0, ""
    try:
        page, offset, question = json.loads(base64.urlsafe_b64decode(token))
    except ValueError:
        # Faults hand out tokens of their own, which lead to the beginning.
        if token == "same" or token.startswith("loop-"):  # noqa: S105 (a page token)
            return 0, 0, ""
        raise invalid("nextToken", "The token is not one of ours") from None
    return int(page), int(offset), str(question)


def _page_size(request: Request, largest: int) -> int:
    text = request.query.get("maxResults", str(DEFAULT_PAGE))
    if not text.isdecimal() or not 1 <= int(text) <= largest:
        raise invalid("maxResults", f"Value {text!r} at maxResults must be between 1 and {largest}")
    return int(text)


def _refuse_unknown(request: Request, known: set[str]) -> None:
    for name in request.query.keys() - known:
        raise invalid(name, f"Unknown parameter {name}")


def _time(request: Request, name: str) -> float | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(name, f"Value {text!r} at {name} is not an ISO 8601 time") from None
    if moment.tzinfo is None:
        raise invalid(name, f"Value {text!r} at {name} has no time zone")
    return moment.timestamp()


def _find(items: Sequence[Any], identifier: str, kind: str) -> Any:  # noqa: ANN401 (of the items' type)
    found = next((item for item in items if item.id == identifier), None)
    if found is None:
        raise not_found(kind, identifier)
    return found


def _application(api: Api, asked: _Asked) -> Application:
    application: Application = _find(api.fleet.applications, asked.call.application_id, "APPLICATION")
    return application


def _index(api: Api, asked: _Asked) -> Index:
    index: Index = _find(_application(api, asked).indexes, asked.call.index_id, "INDEX")
    return index


def _data_source(api: Api, asked: _Asked) -> DataSource:
    data_source: DataSource = _find(_index(api, asked).data_sources, asked.call.data_source_id, "DATA_SOURCE")
    return data_source


def _arn(api: Api, *path: str) -> str:
    names = ("application", "index", "data-source")
    resource = "/".join(f"{name}/{identifier}" for name, identifier in zip(names, path, strict=False))
    return f"arn:aws:qbusiness:{api.fleet.region}:{api.fleet.account}:{resource}"


def _summary(item: Application | Index | DataSource, key: str) -> dict[str, Any]:
    return {"displayName": item.name, key: item.id, "status": item.status, "createdAt": 1_700_000_000.0}


def _list_applications(api: Api, asked: _Asked) -> dict[str, Any]:
    return asked.page_of("applications", api.fleet.applications, lambda item: _summary(item, "applicationId"))


def _get_application(api: Api, asked: _Asked) -> dict[str, Any]:
    application = _application(api, asked)
    return {**_summary(application, "applicationId"), "applicationArn": _arn(api, application.id)}


def _list_indices(api: Api, asked: _Asked) -> dict[str, Any]:
    return asked.page_of("indices", _application(api, asked).indexes, lambda item: _summary(item, "indexId"))


def _get_index(api: Api, asked: _Asked) -> dict[str, Any]:
    index = _index(api, asked)
    text = {"indexedTextBytes": index.text_bytes, "indexedTextDocumentCount": index.documents}
    return {
        **_summary(index, "indexId"),
        "applicationId": asked.call.application_id,
        "indexArn": _arn(api, asked.call.application_id, index.id),
        "type": index.kind,
        "capacityConfiguration": {"units": index.units},
        "indexStatistics": {"textDocumentStatistics": text},
    }


def _source_summary(item: DataSource) -> dict[str, Any]:
    dates = {"createdAt": item.created, "updatedAt": item.updated}
    return {**_summary(item, "dataSourceId"), "type": item.kind, **dates}


def _list_data_sources(api: Api, asked: _Asked) -> dict[str, Any]:
    return asked.page_of("dataSources", _index(api, asked).data_sources, _source_summary)


def _get_data_source(api: Api, asked: _Asked) -> dict[str, Any]:
    source, call = _data_source(api, asked), asked.call
    return {
        **_source_summary(source),
        "applicationId": call.application_id,
        "indexId": call.index_id,
        "dataSourceArn": _arn(api, call.application_id, call.index_id, source.id),
        "syncSchedule": source.schedule,
        "configuration": {"connectionConfiguration": {"secretArn": SECRET_MARKER, "host": f"{SECRET_MARKER}.example"}},
        "roleArn": f"arn:aws:iam::{api.fleet.account}:role/{SECRET_MARKER}",
        "error": {},
    }


def _list_tags(api: Api, asked: _Asked) -> dict[str, Any]:
    identifier = asked.found["arn"].rsplit("/", 1)[-1]
    source = _find([source for _, _, source in api.fleet.data_sources()], identifier, "RESOURCE")
    return {"tags": [{"key": key, "value": value} for key, value in source.tags.items()]}


def _list_sync_jobs(api: Api, asked: _Asked) -> dict[str, Any]:
    status = asked.request.query.get("syncStatus")
    if status is not None and status not in STATUSES:
        raise invalid("syncStatus", f"Value {status!r} at syncStatus must be one of {', '.join(STATUSES)}")
    since, until = _time(asked.request, "startTime"), _time(asked.request, "endTime")
    jobs = [
        job
        for job in _ordered(_data_source(api, asked).planned(asked.now), api.order)
        if _within(job, since, until, api.reading) and status in {None, job.status(asked.now)}
    ]
    return asked.page_of("history", jobs, lambda job: job.at(asked.now), "startTime", "endTime", "syncStatus")


def _ordered(jobs: list[PlannedJob], order: str) -> list[PlannedJob]:
    if order == "shuffled":
        return sorted(jobs, key=lambda job: random.Random(job.execution_id).random())  # noqa: S311 (that repeats)
    return sorted(jobs, key=lambda job: job.started, reverse=order == "newest")


def _within(job: PlannedJob, since: float | None, until: float | None, reading: str) -> bool:
    last = job.started if reading == "start" else job.ends
    return (since is None or last >= since) and (until is None or job.started <= until)


_OPERATIONS: dict[str, Callable[[Api, _Asked], dict[str, Any]]] = {
    "ListApplications": _list_applications,
    "GetApplication": _get_application,
    "ListIndices": _list_indices,
    "GetIndex": _get_index,
    "ListDataSources": _list_data_sources,
    "GetDataSource": _get_data_source,
    "ListDataSourceSyncJobs": _list_sync_jobs,
    "ListTagsForResource": _list_tags,
}
