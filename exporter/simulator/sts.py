"""Just enough of the Security Token Service: who one is, and roles that anyone may assume."""

from __future__ import annotations

from urllib.parse import parse_qs

from exporter.simulator.wire import Request, Response


def handle(request: Request, account: str) -> Response:
    """Answer GetCallerIdentity or AssumeRole, in XML."""
    action = parse_qs(request.body).get("Action", [""])[0]
    arn = f"arn:aws:sts::{account}:assumed-role/simulated/simulated"
    results = {
        "GetCallerIdentity": f"<Arn>{arn}</Arn><UserId>AROA:simulated</UserId><Account>{account}</Account>",
        "AssumeRole": (
            "<Credentials><AccessKeyId>ASSUMED</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>"
            "<SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
            f"<AssumedRoleUser><AssumedRoleId>AROA:simulated</AssumedRoleId><Arn>{arn}</Arn></AssumedRoleUser>"
        ),
    }
    if action not in results:
        body = f"<ErrorResponse><Error><Code>InvalidAction</Code><Message>no action {len(action)}</Message></Error>"
        return Response(400, f"{body}</ErrorResponse>".encode(), {"Content-Type": "text/xml"})
    body = f"<{action}Response><{action}Result>{results[action]}</{action}Result></{action}Response>"
    return Response(200, body.encode(), {"Content-Type": "text/xml"})
