"""A real boto3 client for the simulated service, and signed requests to the service without sockets."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import boto3
from botocore.config import Config

from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex
from exporter.simulator.wire import Request
from tests.support.harness import TIMEOUT

if TYPE_CHECKING:
    from types_boto3_qbusiness import QBusinessClient

    from exporter.simulator.service import SimulatedService
    from exporter.simulator.wire import Response

SIGNATURE = (
    "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/qbusiness/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
)


@cache
def session() -> boto3.Session:
    """Return the session with placeholder credentials. It reads the model of each API once."""
    return boto3.Session(aws_access_key_id="AKID", aws_secret_access_key="secret", region_name="us-east-1")  # noqa: S106 (a placeholder)


def client_of(url: str, attempts: int = 1, read_timeout: float = TIMEOUT) -> QBusinessClient:
    """Return a client of Amazon Q Business."""
    retries: Any = {"total_max_attempts": attempts, "mode": "standard"}
    config = Config(retries=retries, read_timeout=read_timeout, connect_timeout=TIMEOUT, max_pool_connections=50)
    return session().client("qbusiness", endpoint_url=url, config=config)


def one_index(*sources: SimulatedDataSource) -> tuple[Fleet, SimulatedIndex]:
    """Return a fleet with all data sources in one index, and the index."""
    index = SimulatedIndex("main", list(sources))
    return Fleet([SimulatedApplication("intranet", [index])]), index


def ids_of(fleet: Fleet, source: SimulatedDataSource) -> dict[str, Any]:
    """Return the request parameters that name a data source."""
    for application, index, candidate in fleet.data_sources():
        if candidate is source:
            return {"applicationId": application.id, "indexId": index.id, "dataSourceId": source.id}
    raise LookupError(source.name)


def get(service: SimulatedService, path: str, signature: str = SIGNATURE, /, **query: object) -> Response:
    """Return the service's response to a GET request, without a socket."""
    target = f"{path}?{urlencode(query)}" if query else path
    return service.respond(Request.parse("GET", target, {"authorization": signature}))


def jobs_path(fleet: Fleet, source: SimulatedDataSource) -> str:
    """Return the path of a data source's sync jobs."""
    ids = ids_of(fleet, source)
    return f"/applications/{ids['applicationId']}/indices/{ids['indexId']}/datasources/{ids['dataSourceId']}/syncjobs"


def body_of(response: Response) -> Any:
    """Return the JSON in a response."""
    return json.loads(response.body)
