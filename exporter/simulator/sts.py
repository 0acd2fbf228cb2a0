"""The part of the Security Token Service that the exporter uses: the caller's identity, and roles to assume."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qs

from exporter.simulator.units import YEAR
from exporter.simulator.wire import Request, Response, ServiceError, xml_error_response


@dataclass(slots=True)
class Sts:
    """The Security Token Service of an account."""

    account: str
    external_id: str | None = None  # the external ID that AssumeRole requires
    refuses: bool = False  # AssumeRole is denied
    lifetime: float = 50 * YEAR  # seconds until temporary credentials expire
    revoked: set[str] = field(default_factory=set)  # access keys that are no longer valid
    web_identity_tokens: list[str] = field(default_factory=list)  # as they were received
    _expires: dict[str, float] = field(default_factory=dict)

    def handle(self, request: Request, now: float) -> Response:
        """Return the XML response to GetCallerIdentity, AssumeRole or AssumeRoleWithWebIdentity."""
        parameters = _parameters(request)
        action = action_of(request)
        if request.access_key in self.revoked:
            return _error(403, "InvalidClientTokenId", "The security token included in the request is invalid")
        if action == "GetCallerIdentity":
            return self._identity(request.access_key)
        if action == "AssumeRole":
            return self._assume(action, parameters, now)
        if action == "AssumeRoleWithWebIdentity":
            self.web_identity_tokens.append(parameters.get("WebIdentityToken", ""))
            return self._assume(action, parameters, now)
        return _error(400, "InvalidAction", f"no action of {len(action)} characters")

    def check(self, access_key: str, now: float) -> None:
        """Raise ServiceError for credentials that are not valid, or have expired."""
        if access_key in self.revoked:
            message = "The security token included in the request is invalid"
            raise ServiceError("UnrecognizedClientException", 403, message)
        if now >= self._expires.get(access_key, now + 1):
            raise ServiceError("ExpiredTokenException", 403, "The security token included in the request is expired")

    def _identity(self, access_key: str) -> Response:
        account = access_key.rpartition("-")[2] if access_key in self._expires else self.account
        arn = f"arn:aws:sts::{account}:assumed-role/simulated/simulated"
        return _success("GetCallerIdentity", f"<Arn>{arn}</Arn><UserId>AROA:x</UserId><Account>{account}</Account>")

    def _assume(self, action: str, parameters: dict[str, str], now: float) -> Response:
        role = parameters.get("RoleArn", "")
        if self.refuses or parameters.get("ExternalId") != self.external_id:
            return _error(403, "AccessDenied", f"User is not authorized to perform: sts:{action} on resource: {role}")
        account = role.split(":")[4]
        key, expires = f"ASSUMED-{len(self._expires)}-{account}", now + self.lifetime
        self._expires[key] = expires
        until = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return _success(
            action,
            f"<Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>"
            f"<SessionToken>token</SessionToken><Expiration>{until}</Expiration></Credentials>"
            f"<AssumedRoleUser><AssumedRoleId>AROA:x</AssumedRoleId><Arn>{role}/x</Arn></AssumedRoleUser>",
        )


def is_for_sts(request: Request) -> bool:
    """Return whether a request is for STS, which is available at the endpoint of every simulated service."""
    return request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")


def action_of(request: Request) -> str:
    """Return the operation that an STS request calls."""
    return _parameters(request).get("Action", "")


def _parameters(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.body).items()}


def _success(action: str, result: str) -> Response:
    body = f"<{action}Response><{action}Result>{result}</{action}Result></{action}Response>"
    return Response(200, body.encode(), {"Content-Type": "text/xml"})


def _error(status: int, code: str, message: str) -> Response:
    return xml_error_response(ServiceError(code, status, message))
