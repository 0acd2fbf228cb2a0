"""Where foreign exceptions become ours, each with a reason from a closed set."""

from __future__ import annotations

from http import HTTPStatus

import botocore.exceptions as boto_errors
from botocore.parsers import ResponseParserError

from exporter.errors import ProviderError, Reason

_THROTTLED = {
    "ThrottlingException",
    "Throttling",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "SlowDown",
    "429",
}
_DENIED = {"AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "403"}
_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
    "401",
}
_BY_CODE = {
    **dict.fromkeys(_THROTTLED, Reason.THROTTLED),
    **dict.fromkeys(_DENIED, Reason.ACCESS_DENIED),
    **dict.fromkeys(_CREDENTIALS, Reason.CREDENTIALS),
    "ResourceNotFoundException": Reason.NOT_FOUND,
    "404": Reason.NOT_FOUND,
    "ConflictException": Reason.CONFLICT,
    "409": Reason.CONFLICT,
}
STS_OPERATIONS = {"AssumeRole", "GetCallerIdentity"}
_REFUSED = {Reason.ACCESS_DENIED, Reason.CREDENTIALS}
# The first that fits is taken: botocore's timeouts are connection errors too.
_BY_EXCEPTION: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Reason], ...] = (
    ((boto_errors.ConnectTimeoutError, boto_errors.ReadTimeoutError), Reason.TIMEOUT),
    ((boto_errors.HTTPClientError, boto_errors.ConnectionError), Reason.CONNECTION),
    (boto_errors.IncompleteReadError, Reason.CONNECTION),
    (
        (
            boto_errors.NoCredentialsError,
            boto_errors.PartialCredentialsError,
            boto_errors.CredentialRetrievalError,
            boto_errors.TokenRetrievalError,
            boto_errors.SSOError,
            boto_errors.UnauthorizedSSOTokenError,
        ),
        Reason.CREDENTIALS,
    ),
    (boto_errors.PaginationError, Reason.PAGINATION),
    (ResponseParserError, Reason.MALFORMED_RESPONSE),  # of what STS has, which is XML
    (boto_errors.ParamValidationError, Reason.INVALID_REQUEST),
    # What is left of botocore's own is its set-up: a profile, a file, a provider of credentials that does not work.
    (boto_errors.BotoCoreError, Reason.CREDENTIALS),
    # botocore's parser answers a body of the wrong type with whatever its attribute access ran into.
    ((AttributeError, TypeError, ValueError, KeyError, RecursionError), Reason.MALFORMED_RESPONSE),
    # Credentials that came expired, as they seem to be where the host's clock is wrong, are a bare RuntimeError.
    (RuntimeError, Reason.CREDENTIALS),
)


def is_throttled(code: str) -> bool:
    """Tell from an attempt's code whether it was refused for being one too many."""
    return code in _THROTTLED


def was_authorised(operation: str, code: str) -> bool | None:
    """Tell from an attempt whether the target answered it and let in whoever asked; None where STS was asked."""
    if operation in STS_OPERATIONS:
        return None
    return code not in {"timeout", "connection"} and _BY_CODE.get(code) not in _REFUSED


def translate(error: Exception, operation: str) -> ProviderError | None:
    """Make a foreign exception ours; None for one that only a defect of ours can have raised."""
    if isinstance(error, boto_errors.ClientError):
        answer = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = str(answer.get("Code", "")) or str(status)
        # The token service's errors are XML: of a proxy's page the SDK makes a code that nobody knows.
        reason = (
            _BY_CODE.get(code)
            or _BY_CODE.get(str(status))
            or (Reason.SERVER_ERROR if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Reason.INVALID_REQUEST)
        )
        if reason is Reason.ACCESS_DENIED and error.operation_name == "AssumeRole":
            reason = Reason.CREDENTIALS  # without its role the target is lost, whatever one asks it for
        return ProviderError(reason, f"{code}: {answer.get('Message', '')}", operation=operation, code=code)
    ours = error.kwargs.get("error") if isinstance(error, boto_errors.HTTPClientError) else None
    if isinstance(ours, ProviderError):  # from within the connection, in the SDK's wrapping
        return ProviderError(ours.reason, ours.args[0], operation=operation, code=ours.code)
    for kind, reason in _BY_EXCEPTION:
        if isinstance(error, kind):
            name = type(error).__name__
            return ProviderError(reason, f"{name}: {error}", operation=operation, code=name)
    return None
