"""Faults that replace the service's response, or break its transmission."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from exporter.simulator.units import HOUR
from exporter.simulator.wire import ApiCall, Response, ServiceError, xml_error_response

if TYPE_CHECKING:
    from exporter.simulator.faults.fault import Fault

ResponseFault = Callable[["Fault", ApiCall, Response], Response]
BYTES_PER_DRIP = 25  # bytes that a dripping response sends in `seconds`; reading a single byte never times out
_JSON = {"Content-Type": "application/json"}
_HTML = {"Content-Type": "text/html"}
_RESOURCE = {"resourceId": "simulated", "resourceType": "DATA_SOURCE"}
# The Security Token Service has other names for the same errors.
_STS_NAMES = {
    "ThrottlingException": "Throttling",
    "InternalServerException": "InternalFailure",
    "AccessDeniedException": "AccessDenied",
    "UnrecognizedClientException": "InvalidClientTokenId",
    "ValidationException": "ValidationError",
}


def _error(name: str, status: int, **members: Any) -> ResponseFault:  # noqa: ANN401 (JSON)
    def change(_fault: Fault, call: ApiCall, _response: Response) -> Response:
        message = f"simulated for {call.operation}"
        if call.is_sts:
            return xml_error_response(ServiceError(_STS_NAMES.get(name, name), status, message))
        raise ServiceError(name, status, message, **members)

    return change


def _fixed(response: Response) -> ResponseFault:
    return lambda _fault, _call, _response: response


def _huge(fault: Fault, _call: ApiCall, response: Response) -> Response:
    padding = " " * int(fault.megabytes * 1e6)
    return replace(response, body=response.body + padding.encode())


def _half(response: Response) -> int:
    return max(1, len(response.body) // 2)


RESPONSE_FAULTS: dict[str, ResponseFault] = {
    "throttled": _error("ThrottlingException", 429),
    "throttled_bare": _fixed(Response(429, b"", {})),
    "server_error": _error("InternalServerException", 500),
    "server_error_html": _fixed(Response(503, b"<html>Service Unavailable</html>", _HTML)),
    "server_error_list": _fixed(Response(500, b"[]", _JSON)),
    "denied": _error("AccessDeniedException", 403),
    "html_denied": _fixed(Response(403, b"<html>Blocked by your proxy</html>", _HTML)),
    "expired_token": _error("ExpiredTokenException", 403),
    "unrecognized_client": _error("UnrecognizedClientException", 403),
    "not_found": _error("ResourceNotFoundException", 404, **_RESOURCE),
    "html_not_found": _fixed(Response(404, b"<html>Not Found</html>", _HTML)),
    "conflict": _error("ConflictException", 409, **_RESOURCE),
    "invalid": _error("ValidationException", 400, reason="FIELD_VALIDATION_FAILED", fields=[]),
    "unknown_error": _error("TeapotException", 418),
    "reset": lambda _f, _c, response: replace(response, is_reset=True),
    "reset_midway": lambda _f, _c, response: replace(response, is_reset=True, missing_bytes=_half(response)),
    "cut": lambda _f, _c, response: replace(response, missing_bytes=_half(response)),
    "hang": lambda _f, _c, response: replace(response, delay=HOUR),
    "drip": lambda fault, _c, response: replace(response, byte_interval=fault.seconds / BYTES_PER_DRIP),
    "endless": lambda _f, _c, response: replace(response, is_endless=True),
    "huge": _huge,
    "slow": lambda fault, _c, response: replace(response, delay=fault.seconds),
    "no_date": lambda _f, _c, response: replace(response, headers={**response.headers, "Date": ""}),
    "truncated_json": lambda _f, _c, response: replace(response, body=response.body[: len(response.body) // 2]),
    "empty_body": _fixed(Response(200, b"", _JSON)),
    "empty_object": _fixed(Response(200, b"{}", _JSON)),
    "not_object": _fixed(Response(200, b"[]", _JSON)),
    "html": _fixed(Response(200, b"<html><body>Sign in</body></html>", _HTML)),
    "binary": _fixed(Response(200, bytes(range(256)), _JSON)),
    "deep": _fixed(Response(200, b'{"history":' + b"[" * 100_000, _JSON)),
}
