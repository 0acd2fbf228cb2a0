"""The translation of botocore's exceptions into ProviderError, with a reason from a closed set."""

from __future__ import annotations

from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

import botocore.exceptions as boto_errors
from botocore.parsers import ResponseParserError

from exporter.errors import ProviderError, Reason
from exporter.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_THROTTLED_CODES = {
    "ThrottlingException",
    "Throttling",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "SlowDown",
    "429",
}
_ACCESS_DENIED_CODES = {"AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "403"}
_CREDENTIALS_CODES = {
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
_REASON_BY_CODE = {
    **dict.fromkeys(_THROTTLED_CODES, Reason.THROTTLED),
    **dict.fromkeys(_ACCESS_DENIED_CODES, Reason.ACCESS_DENIED),
    **dict.fromkeys(_CREDENTIALS_CODES, Reason.CREDENTIALS),
    "ResourceNotFoundException": Reason.NOT_FOUND,
    "404": Reason.NOT_FOUND,
    "ConflictException": Reason.CONFLICT,
    "409": Reason.CONFLICT,
}
TOKEN_OPERATIONS = {
    "AssumeRole",
    "AssumeRoleWithWebIdentity",
    "CreateOAuth2Token",
    "CreateToken",
    "GetCallerIdentity",
    "GetRoleCredentials",
}
_UNAUTHORIZED = {Reason.ACCESS_DENIED, Reason.CREDENTIALS}
# The first match counts, because botocore's timeouts are connection errors too.
_REASON_BY_EXCEPTION: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Reason], ...] = (
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
    (ResponseParserError, Reason.MALFORMED_RESPONSE),  # from STS, whose responses are XML
    (boto_errors.ParamValidationError, Reason.INVALID_REQUEST),
    # All other errors of botocore are about its settings: a profile, a file or a credential provider that does not
    # work.
    (boto_errors.BotoCoreError, Reason.CREDENTIALS),
    # For a body of the wrong type, botocore's parser raises one of these, depending on where it fails.
    ((AttributeError, TypeError, ValueError, KeyError, RecursionError), Reason.MALFORMED_RESPONSE),
    # botocore raises RuntimeError for new credentials that have expired already, for example by a wrong clock of the
    # host.
    (RuntimeError, Reason.CREDENTIALS),
)


def is_throttled(code: str) -> bool:
    """Return whether the code of an attempt means that AWS has throttled it."""
    return code in _THROTTLED_CODES


def was_authorized(operation: str, code: str) -> bool | None:
    """Return whether AWS responded to an attempt and authorized it; None for one that obtains credentials."""
    if operation in TOKEN_OPERATIONS:
        return None
    is_answered = not has_no_response(code) and not is_from_proxy(code)
    return is_answered and _REASON_BY_CODE.get(code) not in _UNAUTHORIZED


def has_no_response(code: str) -> bool:
    """Return whether an attempt ended without a response."""
    return code in {"timeout", "connection"}


def is_from_proxy(code: str) -> bool:
    """Return whether the code of an attempt is the HTTP status of an error without a code of AWS.

    Something between the exporter and AWS sends such a response, so it does not show that AWS authorized the request.
    """
    is_error = code.isdecimal() and int(code) >= HTTPStatus.MULTIPLE_CHOICES
    return is_error and code not in _THROTTLED_CODES | _ACCESS_DENIED_CODES | _CREDENTIALS_CODES


@contextmanager
def translated_errors(
    operation: str, observe: Callable[[ProviderError], object] = lambda _error: None
) -> Iterator[None]:
    """Translate exceptions of the SDK into ProviderError with the operation, and call `observe` with each of them.

    `observe` is not called for a ProviderError that the block itself raises.
    """
    try:
        yield
    except ProviderError as error:
        error.operation = error.operation or operation
        raise
    except Exception as error:
        translated = translate(error, operation)
        if translated is None:
            raise
        observe(translated)
        raise translated from error


def is_denied(code: str) -> bool:
    """Return whether the code of an attempt means that a permission is missing."""
    return _REASON_BY_CODE.get(code) is Reason.ACCESS_DENIED


def translate(error: Exception, operation: str) -> ProviderError | None:
    """Return the ProviderError for an exception; None for an exception that only a bug of the exporter can raise."""
    if isinstance(error, boto_errors.ClientError):
        details = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = str(details.get("Code", "")) or str(status)
        # The SDK parses errors of STS as XML. It reads the HTML page of a proxy as an error with a code that does not
        # exist.
        reason = (
            _REASON_BY_CODE.get(code)
            or _REASON_BY_CODE.get(str(status))
            or (Reason.SERVER_ERROR if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Reason.INVALID_REQUEST)
        )
        message = redact(f"{code}: {details.get('Message', '')}")
        return ProviderError(reason, message, operation=operation, code=code)
    inner = error.kwargs.get("error") if isinstance(error, boto_errors.HTTPClientError) else None
    if isinstance(inner, ProviderError):  # raised by `response_limits`, and wrapped by the SDK
        return ProviderError(inner.reason, inner.args[0], operation=operation, code=inner.code)
    for kind, reason in _REASON_BY_EXCEPTION:
        if isinstance(error, kind):
            name = type(error).__name__
            # The message may quote the URL of the endpoint or of a proxy, with a password in it.
            return ProviderError(reason, redact(f"{name}: {error}"), operation=operation, code=name)
    return None
