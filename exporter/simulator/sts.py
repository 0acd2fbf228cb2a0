"""Just enough of the Security Token Service: who one is, and roles to assume."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qs

from exporter.simulator.wire import Request, Response, ServiceError, refuse_in_xml

FOR_EVER = 50 * 365 * 86400.0


@dataclass(slots=True)
class Sts:
    """The service, for whoever has credentials of an account."""

    account: str
    external_id: str | None = None  # that a role asks for
    refuses: bool = False
    lifetime: float = FOR_EVER  # seconds that assumed credentials are good for
    revoked: set[str] = field(default_factory=set)  # access keys that are no longer good
    _expires: dict[str, float] = field(default_factory=dict)

    def handle(self, request: Request, now: float) -> Response:
        """Answer GetCallerIdentity or AssumeRole, in XML."""
        asked = _asked(request)
        action = action_of(request)
        if request.access_key in self.revoked:
            return _refuse(403, "InvalidClientTokenId", "The security token included in the request is invalid")
        if action == "GetCallerIdentity":
            return self._identity(request.access_key)
        if action == "AssumeRole":
            return self._assume(asked, now)
        return _refuse(400, "InvalidAction", f"no action of {len(action)} characters")

    def is_expired(self, access_key: str, now: float) -> bool:
        """Tell whether credentials that were handed out are no longer good."""
        return now >= self._expires.get(access_key, now + 1)

    def _identity(self, access_key: str) -> Response:
        account = access_key.rpartition("-")[2] if access_key in self._expires else self.account
        arn = f"arn:aws:sts::{account}:assumed-role/simulated/simulated"
        return _answer("GetCallerIdentity", f"<Arn>{arn}</Arn><UserId>AROA:x</UserId><Account>{account}</Account>")

    def _assume(self, asked: dict[str, str], now: float) -> Response:
        role = asked.get("RoleArn", "")
        if self.refuses or asked.get("ExternalId") != self.external_id:
            return _refuse(
                403, "AccessDenied", f"User is not authorized to perform: sts:AssumeRole on resource: {role}"
            )
        account = role.split(":")[4]
        key, expires = f"ASSUMED-{len(self._expires)}-{account}", now + self.lifetime
        self._expires[key] = expires
        until = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return _answer(
            "AssumeRole",
            f"<Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>"
            f"<SessionToken>token</SessionToken><Expiration>{until}</Expiration></Credentials>"
            f"<AssumedRoleUser><AssumedRoleId>AROA:x</AssumedRoleId><Arn>{role}/x</Arn></AssumedRoleUser>",
        )


def action_of(request: Request) -> str:
    """Tell which operation a request asks for."""
    return _asked(request).get("Action", "")


def _asked(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.body).items()}


def _answer(action: str, result: str) -> Response:
    body = f"<{action}Response><{action}Result>{result}</{action}Result></{action}Response>"
    return Response(200, body.encode(), {"Content-Type": "text/xml"})


def _refuse(status: int, code: str, message: str) -> Response:
    return refuse_in_xml(ServiceError(code, status, message))
