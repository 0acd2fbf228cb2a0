"""The faults of the matrix: their effect on polls, and the reason and code that metrics report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.errors import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class FaultCase:
    """A fault of the simulator, and its effect on polls.

    `reason` is None if nothing fails. `code` is the label of the attempts. Faults `of_lists`, `of_tokens` and
    `of_jobs` apply only to operations that return lists, pages and sync jobs. `ServiceCase` has the faults that a
    service does not have, and those for which boto3 refuses the whole response.
    """

    kind: str
    description: str
    reason: Reason | None
    code: str = "200"
    is_retried: bool = False  # by the SDK
    of_lists: bool = False
    of_tokens: bool = False
    of_jobs: bool = False
    is_refusal: bool = False  # AWS rejects the request: for a name, the exporter then uses the id
    is_absorbed_once: bool = False  # the poll or the discovery run succeeds if only one request is affected
    loses_durations: bool = False  # jobs that ended meanwhile had no usable end
    needs_reread: bool = False  # only the next full reread finds the missed jobs
    note: str = ""  # what the exporter does if nothing fails
    sts: Mapping[str, str] = field(default_factory=dict)  # reason and code, if they differ for STS


BAD = Reason.MALFORMED_RESPONSE


def _sts(reason: Reason | str, code: str) -> dict[str, str]:
    return {"reason": str(reason), "code": code}


def _wrong_type(kind: str, description: str) -> FaultCase:
    return FaultCase(kind, description, BAD, of_lists=True)


def _job(kind: str, description: str, note: str) -> FaultCase:
    return FaultCase(
        kind,
        description,
        None,
        of_jobs=True,
        loses_durations=note == _NO_END,
        needs_reread=note == _UNKNOWN_STATUS,
        note=note,
    )


_SKIPPED = (
    "the exporter skips the entry with a warning, keeps the known state of the job, and counts it once it is valid"
)
_UNKNOWN_STATUS = (
    "exposed under its name, and counted after its end; if newer jobs precede it in the list, the next full reread "
    "counts it, at most six hours later"
)
_NO_END = "treated as missing, with a warning; the job is counted, its duration is not"
_NO_COUNTS = "treated as missing, with a warning; counted once the values are valid"


FAULTS = (
    FaultCase("throttled", "429 ThrottlingException", Reason.THROTTLED, "ThrottlingException", is_retried=True,
              sts=_sts("throttled", "Throttling")),
    FaultCase("throttled_bare", "429 without a code", Reason.THROTTLED, "429", is_retried=True,
              sts=_sts("malformed_response", "429")),
    FaultCase("server_error", "500 InternalServerException, in JSON", Reason.SERVER_ERROR, "InternalServerException",
              is_retried=True, sts=_sts("server_error", "InternalFailure")),
    FaultCase("server_error_html", "503 from a proxy, in HTML", Reason.SERVER_ERROR, "503", is_retried=True),
    FaultCase("server_error_list", "500 with JSON that is not an object", Reason.SERVER_ERROR, "500", is_retried=True,
              sts=_sts("malformed_response", "500")),
    FaultCase("denied", "403 AccessDeniedException", Reason.ACCESS_DENIED, "AccessDeniedException", is_refusal=True,
              sts=_sts("credentials", "AccessDenied")),
    FaultCase("html_denied", "403 from a proxy, in HTML", Reason.ACCESS_DENIED, "403", sts=_sts("credentials", "403")),
    FaultCase("expired_token", "403 ExpiredTokenException", Reason.CREDENTIALS, "ExpiredTokenException"),
    FaultCase("unrecognized_client", "403 UnrecognizedClientException", Reason.CREDENTIALS,
              "UnrecognizedClientException",
              sts=_sts("credentials", "InvalidClientTokenId")),
    FaultCase("not_found", "404 ResourceNotFoundException", Reason.NOT_FOUND, "ResourceNotFoundException",
              is_refusal=True),
    FaultCase("html_not_found", "404 from a proxy, in HTML", Reason.NOT_FOUND, "404"),
    FaultCase("conflict", "409 ConflictException", Reason.CONFLICT, "ConflictException"),
    FaultCase("invalid", "400 ValidationException", Reason.INVALID_REQUEST, "ValidationException", is_refusal=True,
              sts=_sts("invalid_request", "ValidationError")),
    FaultCase("unknown_error", "418 with an unknown code", Reason.INVALID_REQUEST, "TeapotException",
              is_refusal=True),
    FaultCase("reset", "connection reset before the response", Reason.CONNECTION, "connection", is_retried=True),
    FaultCase("reset_midway", "connection reset within the body", Reason.CONNECTION, "connection", is_retried=True),
    FaultCase("hang", "no response within the timeout", Reason.TIMEOUT, "timeout", is_retried=True),
    FaultCase("drip", "a response that arrives byte by byte, headers included", Reason.TIMEOUT, "timeout",
              is_retried=True),
    FaultCase("endless", "an endless body", BAD, "connection", is_retried=True),
    FaultCase("cut", "connection closed within the body", BAD),
    FaultCase("truncated_json", "200 with truncated JSON", BAD),
    FaultCase("empty_body", "200 with an empty body", BAD),
    FaultCase("empty_object", "200 with `{}`", BAD),
    FaultCase("not_object", "200 with JSON that is not an object", BAD),
    FaultCase("html", "200 with HTML", BAD),
    FaultCase("binary", "200 with binary data", BAD),
    FaultCase("deep", "200 with JSON nested 100,000 levels deep", BAD),
    FaultCase("huge", "200 with a body of 5 MB", None, note="the exporter reads it completely"),
    FaultCase("slow", "a slow response, within the timeout", None, note="the exporter waits for it"),
    FaultCase("no_date", "a response without a Date header", None,
              note="AWS's clock continues from the previous response"),
    _wrong_type("result_object", "an object in place of the list"),
    _wrong_type("result_text", "text in place of the list"),
    _wrong_type("result_null", "null in place of the list"),
    _wrong_type("item_text", "text in place of all entries"),
    _wrong_type("item_list", "a list in place of all entries"),
    FaultCase("same_token", "a repeated page token", Reason.PAGINATION, of_tokens=True, is_absorbed_once=True),
    FaultCase("looping_tokens", "page tokens that form a loop", Reason.PAGINATION, of_tokens=True,
              is_absorbed_once=True),
    FaultCase("empty_page", "empty pages with tokens", None, of_tokens=True,
              note="the exporter continues with the next page"),
    FaultCase("entry_again", "shifting pages: a page begins with the last entry of the page before", None, of_jobs=True,
              note="counted once"),
    FaultCase("entry_passed_over", "shifting pages: an entry is on neither of two pages", None, of_jobs=True,
              note="a later poll finds it"),
    FaultCase("repeated", "every entry twice", None, of_lists=True, note="counted once"),
    FaultCase("reordered", "entries in reverse order", None, of_lists=True,
              note="the exporter sorts them by their start"),
    _job("entry_text", "text before the jobs of a list", "the exporter skips it with a warning"),
    _job("metrics_text", "text in place of a job's document counts", _NO_COUNTS),
    _job("metrics_list", "a list in place of a job's document counts", _NO_COUNTS),
    _job("status_number", "a number in place of a job's status", _SKIPPED),
    _job("error_text", "text in place of a job's error", "counted with `error_code` `none`"),
    _job("start_object", "an object in place of a job's start", _SKIPPED),
    _job("contradicting", "each job twice, with different statuses", "the ended one is counted, once"),
    _job("unknown_status", "an unknown status", _UNKNOWN_STATUS),
    _job("unknown_error_code", "an unknown error code", "counted with `error_code` `other`"),
    _job("milliseconds", "times in milliseconds", _SKIPPED),
    _job("in_the_future", "times ten years in the future", _SKIPPED),
    _job("end_in_the_future", "an end ten years in the future", _NO_END),
    _job("start_in_words", "a start that is not a number", _SKIPPED),
    _job("end_before_start", "an end before the start", _NO_END),
    _job("no_execution_id", "jobs without an id", _SKIPPED),
    _job("no_start", "jobs without a start", _SKIPPED),
    _job("no_end", "jobs without an end", _NO_END),
    _job("no_metrics", "jobs without document counts", "not counted until they are present"),
    _job("negative_figures", "negative document counts", _NO_COUNTS),
    _job("fractional_figures", "fractional document counts", _NO_COUNTS),
    _job("figures_in_words", "document counts that are not numbers", _NO_COUNTS),
    _job("huge_figures", "document counts of 40 digits", _NO_COUNTS),
)  # fmt: skip


@dataclass(frozen=True)
class ConnectionFault:
    """A fault of the connection or the credentials, which affects every operation at once."""

    kind: str
    description: str
    reason: Reason
    code: str


CONNECTION_FAULTS = (
    ConnectionFault("refused", "refused connections", Reason.CONNECTION, "connection"),
    ConnectionFault("unresolved", "a host name that does not resolve", Reason.CONNECTION, "connection"),
    ConnectionFault("untrusted", "an untrusted TLS certificate", Reason.CONNECTION, "connection"),
    ConnectionFault("plain", "a server without TLS", Reason.CONNECTION, "connection"),
    ConnectionFault(
        "rotated", "rotated access keys, the old key is refused", Reason.CREDENTIALS, "UnrecognizedClientException"
    ),
)
