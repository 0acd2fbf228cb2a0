"""What is fuzzed: each target takes any bytes, and lets nothing out but what its readers expect of it."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from botocore.awsrequest import AWSResponse, HeadersDict

from exporter.aws import AwsClient
from exporter.config import PollingConfig, TargetConfig, load_web
from exporter.config import parse as parse_config
from exporter.domain.model import IndexId, SourceId
from exporter.domain.schedule import ScheduleError, parse_schedule
from exporter.errors import ConfigError, ProviderError, Reason
from exporter.providers.qbusiness.provider import QBusiness
from exporter.runtime import System
from exporter.store import codec
from exporter.web.server.server import WebServer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import Receive, Scope, Send

NOW = 1_790_000_000.0
STATUSES = (200, 200, 200, 200, 200, 400, 403, 404, 409, 429, 500, 503)
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1e300,
    10**40,
    1.5,
    "",
    "x",
    "9" * 400,
    "\ud800",
    [],
    [None],
    {},
    {"a": []},
    NOW * 1000,
)
_IDS = ("a" * 36, "i" * 36, "s" * 36)


class Target(Protocol):
    """Something that reads what others wrote."""

    @property
    def seeds(self) -> Sequence[bytes]:
        """Give what to begin from."""

    def __call__(self, data: bytes) -> None:
        """Read it; raises what nobody expects."""


def hold(condition: object) -> None:
    """Fail unless something holds."""
    assert condition


class _Attempts:
    def acquire(self) -> None:
        pass

    def finished(self, operation: str, code: str, seconds: float) -> None:
        assert operation
        assert code
        assert seconds >= 0


class Answers:
    """Bodies of answers, through botocore as it is, without a socket."""

    jobs = (
        {
            "executionId": "e" * 36,
            "startTime": NOW - 900.123,
            "endTime": NOW - 60,
            "status": "FAILED",
            "error": {"errorCode": "InternalError", "errorMessage": "SPE-5002: no"},
            "dataSourceErrorCode": "SPE-5002",
            "metrics": {"documentsAdded": "12", "documentsScanned": "999"},
        },
    )
    good = (
        {"applications": [{"applicationId": _IDS[0], "displayName": "intranet", "createdAt": NOW, "status": "ACTIVE"}]},
        {"applicationId": _IDS[0], "displayName": "intranet", "status": "ACTIVE"},
        {"indices": [{"indexId": _IDS[1], "displayName": "main", "status": "ACTIVE"}], "nextToken": "more"},
        {
            "displayName": "main",
            "type": "ENTERPRISE",
            "indexArn": "arn:x",
            "capacityConfiguration": {"units": 2},
            "indexStatistics": {"textDocumentStatistics": {"indexedTextBytes": 5, "indexedTextDocumentCount": 7}},
        },
        {"dataSources": [{"dataSourceId": _IDS[2], "displayName": "hr", "type": "S3", "updatedAt": NOW}]},
        {"displayName": "hr", "type": "S3", "status": "ACTIVE", "syncSchedule": "cron(0 3 * * ? *)", "error": {}},
        {"history": jobs, "nextToken": "more"},
        {"tags": [{"key": "team", "value": "hr"}]},
    )

    def __init__(self) -> None:
        os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"}
        target = TargetConfig.model_validate({"region": "us-east-1", "endpoint_url": "http://fuzzed.invalid"})
        connection = AwsClient(target, PollingConfig(), _Attempts(), System())
        provider = QBusiness(connection)
        with connection.client_for("none") as client:
            client.meta.events.register_last("before-send.qbusiness", self._respond)
        # Refused or not, nobody waits here.
        client._endpoint.__class__._needs_retry = lambda *_, **__: False  # type: ignore[attr-defined] # noqa: SLF001 (botocore has no way to say so)
        index, source = IndexId(*_IDS[:2]), SourceId(*_IDS)
        self._asks: tuple[Callable[[], object], ...] = (
            provider.applications,
            lambda: provider.application_name(_IDS[0]),
            lambda: provider.indexes(_IDS[0]),
            lambda: provider.index(index),
            lambda: provider.data_sources(index),
            lambda: provider.data_source(source),
            lambda: list(provider.sync_jobs(source)),
            lambda: provider.tags("arn:x"),
        )
        self._answer: tuple[int, bytes] = (200, b"{}")
        self.seeds = [bytes([0, number]) + json.dumps(body).encode() for number, body in enumerate(self.good)]

    def _respond(self, request: Any, **_: object) -> Any:
        headers = HeadersDict({"Date": "Mon, 21 Sep 2026 14:13:20 GMT"})
        status, body = self._answer
        response: Any = AWSResponse(request.url, status, headers, None)  # type: ignore[arg-type] # of the stub
        response._content = body  # noqa: SLF001 (what else reads it from a socket)
        return response

    def __call__(self, data: bytes) -> None:
        """Answer with bytes: the first two choose the status and the operation."""
        status, operation = (*data[:2], 0, 0)[:2]
        self.ask(operation % len(self._asks), STATUSES[status % len(STATUSES)], data[2:])

    def ask(self, operation: int, status: int, body: bytes) -> None:
        """Ask for an operation that is answered so."""
        self._answer = (status, body)
        try:
            self._asks[operation]()
        except ProviderError as error:
            hold(error.reason is not Reason.INTERNAL)
            hold(str(error))


class Shapes(Answers):
    """Good answers of which members are replaced, moved or taken away: what random bytes hardly ever make."""

    def __call__(self, data: bytes) -> None:
        """Let bytes choose the operation, and then places in its answer and what to put there."""
        operation = (data[0] if data else 0) % len(self.good)
        body = json.loads(json.dumps(self.good[operation]))
        for at in range(1, len(data) - 1, 2):
            _replace(body, data[at], data[at + 1])
        self.ask(operation, 200, json.dumps(body).encode())


def _replace(body: Any, place: int, choice: int) -> None:
    """Put something odd in one of the places of an answer."""
    places: list[tuple[Any, Any]] = []
    waiting = [body]
    while waiting:
        found = waiting.pop()
        keys = list(found) if isinstance(found, dict) else list(range(len(found)))
        places += [(found, key) for key in keys]
        waiting += [found[key] for key in keys if isinstance(found[key], dict | list)]
    if places:
        found, key = places[place % len(places)]
        if choice == len(ODD):
            del found[key]
        else:
            found[key] = json.loads(json.dumps(ODD[choice % len(ODD)]))


class Configuration:
    """The configuration: it is taken, or every problem has a place and words."""

    def __init__(self) -> None:
        data = Path(__file__).parents[2] / "data"
        bad = (data / "bad_configs.txt").read_bytes().split(b"\n\n")
        self.seeds = [(data / "config" / "good.yaml").read_bytes(), *bad]

    def __call__(self, data: bytes) -> None:
        """Read it as text."""
        try:
            parse_config(data.decode("utf-8", "surrogateescape"), "config.yaml")
        except ConfigError as error:
            hold(error.problems)
            hold(all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in error.problems))


class WebConfiguration:
    """The web config, and the files that it names."""

    seeds = (
        b"tls_server_config: {cert_file: a.pem, key_file: b.pem, client_auth_type: RequireAnyClientCert}",
        b"basic_auth_users: {admin: $2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG}",
        b"http_server_config: {http2: true, headers: {X-Frame-Options: deny}}\ntls_server_config: {min_version: TLS12}",
    )

    def __call__(self, data: bytes) -> None:
        """Read it; the files that it names are the same bytes."""
        try:
            load_web(Path("web.yaml"), lambda _path: data)
        except ConfigError as error:
            hold(error.problems)


class Schedules:
    """Schedules: understood, and then what they say of firings holds together; or not understood."""

    seeds = (
        b"cron(0 0 ? * * *)",
        b"(15 10 ? * 6L 2023-2025)",
        b"0 12 * * ? *",
        b"cron(35 10 ? * TUE,FRI *)",
        b"CRON(0/5 8-17 ? * MON#2 *)",
        b"0 0 L-3 2/3 ? 2026-2030",
        b"0 0 15W * ? *",
    )

    def __call__(self, data: bytes) -> None:
        """Read one, and ask it for its firings."""
        try:
            schedule = parse_schedule(data.decode("utf-8", "replace"))
        except ScheduleError as error:
            hold(str(error))
            return
        if schedule is None:
            return
        following, previous, gap = schedule.next(NOW), schedule.previous(NOW), schedule.longest_gap()
        assert following is None or following > NOW
        assert previous is None or previous <= NOW
        if following is not None and previous is not None:
            assert gap is not None
            assert following - previous <= gap


class State:
    """What stands in a state file: read back, or known to be none of ours."""

    seeds = (
        (
            b'{"watched_since":1,"as_of":2,"last_succeeded":null,"last_indexed":null,"horizon":null,"forgotten_streak":0,'
            b'"completed":{"FAILED":1},"documents":{},"failures":[["none","",1]],"durations":{"FAILED":{"bounds":[60],'
            b'"counts":[1,0],"sum":5,"exemplars":[null,null]}}}'
        ),
        (
            b'{"job":{"execution_id":"e","status":"FAILED","started":1,"ended":2,"documents":{"added":1}},"highest":{},'
            b'"whole":true,"accounted":"counted","gone_since":null}'
        ),
    )

    def __call__(self, data: bytes) -> None:
        """Read it as each of the things that are kept."""
        text = data.decode("utf-8", "replace")
        for load in (lambda text: codec.load_history(text, {}), codec.load_job, codec.load_saved_source):
            try:
                load(text)
            except codec.UNREADABLE:
                continue


async def _application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer whatever is understood as HTTP."""
    if scope["type"] == "http":
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


class Requests:
    """Bytes sent to the web server: whatever they are, it answers or hangs up, and serves the next."""

    seeds = (
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n",
        b"POST /-/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"GET / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
        b"GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    )

    def __init__(self) -> None:
        self._server = WebServer(_application, ["127.0.0.1:0"])
        self._server.start()
        self._address = self._server.addresses[0][:2]

    def __call__(self, data: bytes) -> None:
        """Send it, and then a request as it should be."""
        assert not self._exchange(data).startswith(b"HTTP/1.1 5")
        assert self._exchange(self.seeds[0]).startswith(b"HTTP/1.1 200")
        assert threading.active_count() < 50

    def _exchange(self, data: bytes) -> bytes:
        with socket.create_connection(self._address, timeout=15) as connection:
            answer = b""
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while piece := connection.recv(65536):
                    answer += piece
            except ConnectionError:
                pass  # hung up before it had read all of it
            return answer


TARGETS: dict[str, Callable[[], Target]] = {
    "answers": Answers,
    "shapes": Shapes,
    "configuration": Configuration,
    "web-configuration": WebConfiguration,
    "schedules": Schedules,
    "state": State,
    "requests": Requests,
}
