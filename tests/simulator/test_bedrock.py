"""The simulated API of Amazon Bedrock knowledge bases refuses what AWS refuses."""

from __future__ import annotations

import json

import pytest

from exporter.simulator.bedrock import BedrockApi
from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.service import SimulatedService
from exporter.simulator.wire import Request
from tests.support.harness import fleet_of

SIGNATURE = (
    "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/bedrock/aws4_request, "
    f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
)
KNOWLEDGE_BASE = "/knowledgebases/AAAAAAAAAA"
JOBS = f"{KNOWLEDGE_BASE}/datasources/BBBBBBBBBB/ingestionjobs/"


@pytest.mark.parametrize(
    ("method", "path", "body", "error"),
    [
        ("GET", "/knowledgebases/", "", "UnknownOperationException"),
        ("POST", "/knowledgebases", "{}", "UnknownOperationException"),
        ("GET", "/knowledgebases/too-long-an-id", "", "ValidationException"),
        ("POST", JOBS, "[]", "SerializationException"),
        ("POST", JOBS, '{"startTime": 5}', "ValidationException"),
        ("POST", JOBS, '{"maxResults": 0}', "ValidationException"),
        ("POST", JOBS, '{"maxResults": 1001}', "ValidationException"),
        ("POST", JOBS, '{"sortBy": {"attribute": "UPDATED_AT", "order": "DESCENDING"}}', "ValidationException"),
        ("POST", JOBS, '{"sortBy": {"attribute": "STARTED_AT", "order": "NEWEST"}}', "ValidationException"),
        ("POST", JOBS, '{"filters": []}', "ValidationException"),
        (
            "POST",
            JOBS,
            json.dumps({"filters": [{"attribute": "STATUS", "operator": "EQ", "values": ["SYNCING"]}]}),
            "ValidationException",
        ),
        ("POST", JOBS, '{"nextToken": "forged"}', "ResourceNotFoundException"),
        ("GET", KNOWLEDGE_BASE, "", "ResourceNotFoundException"),
        ("GET", "/tags/arn:aws:bedrock:us-east-1:111122223333:data-source/BBBBBBBBBB", "", "ValidationException"),
    ],
)
def test_the_simulator_refuses_what_aws_refuses(method: str, path: str, body: str, error: str) -> None:
    """Its errors have the names and the format of the service."""
    service = SimulatedService(fleet_of(SimulatedDataSource("hr")), make_api=BedrockApi)
    response = service.respond(Request.parse(method, path, {"authorization": SIGNATURE}, body.encode()))
    assert response.headers["x-amzn-errortype"] == error


def test_an_unsigned_request_is_refused() -> None:
    """The signature must be one for the service."""
    service = SimulatedService(fleet_of(SimulatedDataSource("hr")), make_api=BedrockApi)
    signature = SIGNATURE.replace("/bedrock/", "/bedrock-agent/")
    response = service.respond(Request.parse("POST", "/knowledgebases/", {"authorization": signature}))
    assert (response.status, response.headers["x-amzn-errortype"]) == (403, "MissingAuthenticationTokenException")
