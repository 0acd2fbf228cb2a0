"""The translation of exceptions: each has a reason, and only a bug of the exporter has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import botocore.exceptions as boto_errors
import pytest

from exporter.aws import is_throttled, was_authorized
from exporter.aws.errors import translate
from exporter.errors import ProviderError, Reason
from tests.support.simulated_target import SimulatedTarget

if TYPE_CHECKING:
    from pathlib import Path


def client_error(code: str, status: int, operation: str = "ListApplications") -> boto_errors.ClientError:
    """Build the error that the SDK raises for an error response."""
    response: Any = {"Error": {"Code": code, "Message": "text"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return boto_errors.ClientError(response, operation)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (client_error("ThrottlingException", 429), Reason.THROTTLED),
        (client_error("AccessDeniedException", 403), Reason.ACCESS_DENIED),
        (client_error("ExpiredTokenException", 403), Reason.CREDENTIALS),
        (client_error("ResourceNotFoundException", 404), Reason.NOT_FOUND),
        (client_error("ConflictException", 409), Reason.CONFLICT),
        (client_error("Unknown", 503), Reason.SERVER_ERROR),
        (client_error("Unknown", 418), Reason.INVALID_REQUEST),
        (client_error("", 403), Reason.ACCESS_DENIED),
        (boto_errors.ReadTimeoutError(endpoint_url=""), Reason.TIMEOUT),
        (boto_errors.ConnectTimeoutError(endpoint_url=""), Reason.TIMEOUT),
        (boto_errors.EndpointConnectionError(endpoint_url=""), Reason.CONNECTION),
        (boto_errors.IncompleteReadError(actual_bytes=1, expected_bytes=2), Reason.CONNECTION),
        (boto_errors.NoCredentialsError(), Reason.CREDENTIALS),
        (boto_errors.ProfileNotFound(profile="x"), Reason.CREDENTIALS),
        (boto_errors.PaginationError(message="x"), Reason.PAGINATION),
        (boto_errors.ParamValidationError(report="x"), Reason.INVALID_REQUEST),
        (AttributeError("x"), Reason.MALFORMED_RESPONSE),
        (RecursionError("x"), Reason.MALFORMED_RESPONSE),
        (RuntimeError("the refreshed credentials are still expired"), Reason.CREDENTIALS),
    ],
)  # fmt: skip
def test_an_exception_is_translated_with_its_reason(error: Exception, reason: Reason) -> None:
    """The error has the operation and the text of the exception."""
    translated = translate(error, "ListApplications")
    assert translated
    assert (translated.reason, translated.operation) == (reason, "ListApplications")
    assert str(translated).startswith(f"ListApplications: {translated.code}: ")


def test_an_exception_that_only_a_bug_can_raise_is_not_translated() -> None:
    """Such a poll fails with the reason `internal`."""
    assert translate(AssertionError("bug"), "ListApplications") is None


def test_an_error_within_the_sdk_is_unwrapped() -> None:
    """The limits of responses raise ProviderError inside the SDK, which wraps it."""
    inner = ProviderError(Reason.MALFORMED_RESPONSE, "response larger than 16 MB", code="ResponseTooLarge")
    translated = translate(boto_errors.HTTPClientError(error=inner), "GetIndex")
    assert translated
    assert (translated.reason, translated.code) == (Reason.MALFORMED_RESPONSE, "ResponseTooLarge")
    assert str(translated) == "GetIndex: response larger than 16 MB"


@pytest.mark.parametrize(
    ("code", "authorized"),
    [
        ("200", True),
        ("ThrottlingException", True),
        ("InternalServerException", True),
        ("ResourceNotFoundException", True),
        ("ValidationException", True),
        ("AccessDeniedException", False),
        ("403", False),
        ("ExpiredTokenException", False),
        ("InvalidSignatureException", False),
        ("429", True),
        ("503", False),
        ("404", False),
        ("timeout", False),
        ("connection", False),
    ],
)
def test_a_target_is_up_if_aws_responded_and_authorized_the_request(code: str, *, authorized: bool) -> None:
    """Errors of the service itself are responses to authorized requests. STS is not the target."""
    assert was_authorized("ListDataSourceSyncJobs", code) is authorized
    assert was_authorized("AssumeRole", code) is None


def test_throttling_is_recognized_by_its_codes() -> None:
    """A 429 without a code is throttling too."""
    assert is_throttled("ThrottlingException")
    assert is_throttled("429")
    assert not is_throttled("503")


@pytest.mark.parametrize(
    ("kind", "is_refusal"),
    [("denied", True), ("not_found", True), ("html_not_found", False), ("throttled", False), ("hang", False)],
)
def test_only_the_service_itself_refuses(target: SimulatedTarget, kind: str, *, is_refusal: bool) -> None:
    """An error page of a proxy must not permanently replace a name by an id."""
    target.service.faults.add(kind)
    with pytest.raises(ProviderError) as error:
        target.provider.container_name(target.id.root)
    assert error.value.is_refusal is is_refusal


def test_a_broken_sdk_configuration_is_a_credentials_error(
    target: SimulatedTarget, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The operator can fix the file, so it is not an internal error."""
    broken = tmp_path / "config"
    broken.write_text("[profile\nnonsense")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(broken))
    with pytest.raises(ProviderError) as error:
        target.read_jobs()
    assert error.value.reason is Reason.CREDENTIALS


def test_a_service_that_is_not_running_is_a_connection_error() -> None:
    """All three attempts are recorded."""
    target = SimulatedTarget()
    with target.service:
        pass
    with pytest.raises(ProviderError) as error:
        target.read_jobs()
    assert error.value.reason is Reason.CONNECTION
    assert target.observer.codes == ["connection"] * 3


def test_an_error_does_not_contain_the_password_of_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment may contain one, and the commands and the status page show the error unchanged."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_QBUSINESS", "http://reader:planted@127.0.0.1:9")
    target = SimulatedTarget(endpoint_url=None)
    with target.service, pytest.raises(ProviderError) as error:
        target.read_jobs()
    assert error.value.reason is Reason.CONNECTION
    assert "127.0.0.1:9" in str(error.value)
    assert "planted" not in str(error.value)
