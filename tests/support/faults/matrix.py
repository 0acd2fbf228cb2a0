"""What can go wrong, with every operation that is called, and what comes of it: tests and docs/faults.md follow.

A cell is one fault of one operation, on its first page or a later one, for one data source or application or for all.
In each the fault befalls one request, and then an hour of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

from exporter.errors import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

JOBS = "ListDataSourceSyncJobs"


@dataclass(frozen=True)
class Fault:
    """A fault as the simulator knows it, and what it is to polls.

    `reason` is None where nothing fails. `code` is what its attempts are counted as. `tries` tells that the SDK asks
    again by itself. `by_token` and `of_jobs` faults are such only in listings, and only in those of sync jobs.
    """

    kind: str
    what: str
    reason: Reason | None
    code: str = "200"
    tries: bool = False
    by_token: bool = False
    of_lists: bool = False
    of_jobs: bool = False
    is_refusal: bool = False
    once_is_absorbed: bool = False
    costs_durations: bool = False  # jobs that ended meanwhile came without a usable end
    by_reread: bool = False  # what was missed is found by the next full reread alone
    note: str = ""  # what is made of it, where nothing fails
    sts: Mapping[str, str] = field(default_factory=dict)  # reason and code, where the token service differs


@dataclass(frozen=True)
class Operation:
    """An operation: in which scene it is called, what of it can be befallen, and what shows that it fails."""

    name: str
    effect: str  # what fails with it: poll, discovery, names, account, credentials
    shows: str
    stays: str
    recovers: str
    scene: str = "found"
    is_list: bool = False
    is_paged: bool = False
    is_scoped: bool = True
    at_start: bool = False


@dataclass(frozen=True)
class Cell:
    """One fault of one operation, somewhere."""

    fault: Fault
    operation: Operation
    page: int
    scope: str

    def __str__(self) -> str:
        """Name it, for whoever wants to run it alone."""
        page = "-later" if self.page > 1 else ""
        return f"{self.fault.kind}-{self.operation.name}{page}-{self.scope}"

    @property
    def reason(self) -> Reason | None:
        """Give why polls or discovery fail."""
        if self.operation.effect in {"account", "credentials"} and "reason" in self.fault.sts:
            return Reason(self.fault.sts["reason"]) if self.fault.sts["reason"] else None
        return self.fault.reason

    @property
    def code(self) -> str:
        """Give what its attempts are counted as."""
        is_sts = self.operation.effect in {"account", "credentials"}
        return self.fault.sts.get("code", self.fault.code) if is_sts else self.fault.code


BAD = Reason.MALFORMED_RESPONSE


def _sts(reason: Reason | str, code: str) -> dict[str, str]:
    return {"reason": str(reason), "code": code}


def _wrong_type(kind: str, what: str, *, of_jobs: bool = False) -> Fault:
    return Fault(kind, what, BAD, of_lists=not of_jobs, of_jobs=of_jobs)


def _job(kind: str, what: str, note: str) -> Fault:
    by_reread = note == _UNKNOWN
    return Fault(kind, what, None, of_jobs=True, costs_durations=note == _END, by_reread=by_reread, note=note)


_OUT = "the job is left out with a warning, stays as it was known, and is counted once it can be read"
_UNKNOWN = "shown under its own name, and counted once it has ended: six hours later at most, where newer jobs hide it"
_END = "taken as not said, with a warning: the job is counted, its duration is not"
_FIGURE = "taken as not said, with a warning; counted once they can be read"


FAULTS = (
    Fault("throttled", "429 ThrottlingException", Reason.THROTTLED, "ThrottlingException", tries=True,
          sts=_sts("throttled", "Throttling")),
    Fault("throttled_bare", "429 without a code", Reason.THROTTLED, "429", tries=True,
          sts=_sts("malformed_response", "429")),
    Fault("server_error", "500 InternalServerException, in JSON", Reason.SERVER_ERROR, "InternalServerException",
          tries=True, sts=_sts("server_error", "InternalFailure")),
    Fault("server_error_html", "503 from a proxy, in HTML", Reason.SERVER_ERROR, "503", tries=True),
    Fault("server_error_list", "500 with JSON that is no object", Reason.SERVER_ERROR, "500", tries=True,
          sts=_sts("malformed_response", "500")),
    Fault("denied", "403 AccessDeniedException", Reason.ACCESS_DENIED, "AccessDeniedException", is_refusal=True,
          sts=_sts("credentials", "AccessDenied")),
    Fault("html_denied", "403 from a proxy, in HTML", Reason.ACCESS_DENIED, "403", sts=_sts("credentials", "403")),
    Fault("expired_token", "403 ExpiredTokenException", Reason.CREDENTIALS, "ExpiredTokenException"),
    Fault("unrecognized_client", "403 UnrecognizedClientException", Reason.CREDENTIALS, "UnrecognizedClientException",
          sts=_sts("credentials", "InvalidClientTokenId")),
    Fault("not_found", "404 ResourceNotFoundException", Reason.NOT_FOUND, "ResourceNotFoundException",
          is_refusal=True),
    Fault("html_not_found", "404 from a proxy, in HTML", Reason.NOT_FOUND, "404"),
    Fault("conflict", "409 ConflictException", Reason.CONFLICT, "ConflictException"),
    Fault("invalid", "400 ValidationException", Reason.INVALID_REQUEST, "ValidationException", is_refusal=True,
          sts=_sts("invalid_request", "ValidationError")),
    Fault("unknown_error", "418 with a code that nobody knows", Reason.INVALID_REQUEST, "TeapotException",
          is_refusal=True),
    Fault("reset", "connection reset before the answer", Reason.CONNECTION, "connection", tries=True),
    Fault("reset_midway", "connection reset amid the body", Reason.CONNECTION, "connection", tries=True),
    Fault("hang", "no answer until past the timeout", Reason.TIMEOUT, "timeout", tries=True),
    Fault("drip", "an answer that drips, byte after byte, headers included", Reason.TIMEOUT, "timeout", tries=True),
    Fault("endless", "a body without end", BAD, "connection", tries=True),
    Fault("cut", "connection closed amid the body", BAD),
    Fault("truncated_json", "200 with JSON cut short", BAD),
    Fault("empty_body", "200 with an empty body", BAD),
    Fault("empty_object", "200 with `{}`", BAD),
    Fault("not_object", "200 with JSON that is no object", BAD),
    Fault("html", "200 with HTML", BAD),
    Fault("binary", "200 with bytes that are no text", BAD),
    Fault("deep", "200 with JSON a hundred thousand levels deep", BAD),
    Fault("huge", "200 with a body of 5 MB", None, note="read to its end"),
    Fault("slow", "an answer that is late, within the timeout", None, note="waited for"),
    Fault("no_date", "an answer without a Date header", None, note="AWS's clock goes on from the answer before"),
    _wrong_type("result_object", "an object where the list belongs"),
    _wrong_type("result_text", "text where the list belongs"),
    _wrong_type("result_null", "null where the list belongs"),
    _wrong_type("item_text", "text where an entry belongs"),
    _wrong_type("item_list", "a list where an entry belongs"),
    Fault("same_token", "a page token that repeats", Reason.PAGINATION, by_token=True, once_is_absorbed=True),
    Fault("looping_tokens", "page tokens that lead in a circle", Reason.PAGINATION, by_token=True,
          once_is_absorbed=True),
    Fault("empty_page", "empty pages with tokens", None, by_token=True, note="read on to the next"),
    Fault("entry_again", "pages that shift: the next begins with the last entry of this", None, of_jobs=True,
          note="counted once"),
    Fault("entry_passed_over", "pages that shift: an entry is on neither of two", None, of_jobs=True,
          note="found by a later poll"),
    Fault("repeated", "every entry twice", None, of_lists=True, note="counted once"),
    Fault("reordered", "entries in reverse", None, of_lists=True, note="sorted by their start"),
    _wrong_type("metrics_text", "text where a job's figures belong", of_jobs=True),
    _wrong_type("metrics_list", "a list where a job's figures belong", of_jobs=True),
    _wrong_type("status_number", "a number where a job's status belongs", of_jobs=True),
    _wrong_type("error_text", "text where a job's error belongs", of_jobs=True),
    _wrong_type("start_object", "an object where a job's start belongs", of_jobs=True),
    _job("contradicting", "each job twice, with different statuses", "the one that has ended counts, once"),
    _job("unknown_status", "a status that nobody knows", _UNKNOWN),
    _job("unknown_error_code", "an error code that nobody knows", "`error_code` `other`"),
    _job("milliseconds", "times in milliseconds", _OUT),
    _job("in_the_future", "times ten years ahead", _OUT),
    _job("end_in_the_future", "an end ten years ahead", _END),
    _job("start_in_words", "a start in words", _OUT),
    _job("end_before_start", "an end before the start", _END),
    _job("no_execution_id", "jobs without an id", _OUT),
    _job("no_start", "jobs without a start", _OUT),
    _job("no_end", "jobs without an end", _END),
    _job("no_metrics", "jobs without figures", "absent, and counted once they are there"),
    _job("negative_figures", "negative figures", _FIGURE),
    _job("fractional_figures", "fractional figures", _FIGURE),
    _job("figures_in_words", "figures in words", _FIGURE),
    _job("huge_figures", "figures of forty digits", _FIGURE),
)  # fmt: skip


@dataclass(frozen=True)
class Way:
    """A fault of the way to AWS, or of whom it takes us for: it befalls every operation and everything at once."""

    kind: str
    what: str
    reason: Reason
    code: str


WAYS = (
    Way("refused", "connections refused", Reason.CONNECTION, "connection"),
    Way("unresolved", "a host name that is not resolved", Reason.CONNECTION, "connection"),
    Way("untrusted", "a TLS certificate that is not trusted", Reason.CONNECTION, "connection"),
    Way("plain", "no TLS where it belongs", Reason.CONNECTION, "connection"),
    Way("rotated", "access keys rotated, the old refused", Reason.CREDENTIALS, "UnrecognizedClientException"),
)

_NEXT_ROUND = "with the next round of discovery"
OPERATIONS = (
    Operation(
        JOBS,
        "poll",
        "`qbusiness_poll_success` 0 for the data sources concerned",
        "all else that is said of them, `qbusiness_last_successful_poll_timestamp_seconds` included; other sources "
        "are polled on time",
        "with the next poll, 15 minutes later at most",
        is_list=True,
        is_paged=True,
    ),
    Operation(
        "ListApplications",
        "discovery",
        "`qbusiness_exporter_discovery_success` 0",
        "every series; all sources are polled on time",
        _NEXT_ROUND,
        is_list=True,
        is_paged=True,
        is_scoped=False,
    ),
    Operation(
        "ListIndices",
        "discovery",
        "`qbusiness_exporter_discovery_success` 0",
        "every series; all sources are polled on time",
        _NEXT_ROUND,
        is_list=True,
        is_paged=True,
    ),
    Operation(
        "GetIndex",
        "discovery",
        "`qbusiness_exporter_discovery_success` 0",
        "every series, the index's own with their last figures; all sources are polled on time",
        _NEXT_ROUND,
    ),
    Operation(
        "ListDataSources",
        "discovery",
        "`qbusiness_exporter_discovery_success` 0",
        "every series; all sources are polled on time",
        _NEXT_ROUND,
        is_list=True,
        is_paged=True,
    ),
    Operation(
        "GetDataSource",
        "discovery",
        "`qbusiness_exporter_discovery_success` 0",
        "every series, the schedule as it was; all sources are polled on time",
        "with the next poll; 15 minutes later at most where AWS refused",
    ),
    Operation(
        "ListTagsForResource",
        "discovery",
        "`qbusiness_exporter_discovery_success` 0",
        "every series, tags as they were; all sources are polled on time",
        _NEXT_ROUND,
        is_list=True,
    ),
    Operation(
        "GetApplication",
        "names",
        "`/-/ready` 503, and no series until the name is settled; where AWS refuses, the id is the name",
        "all other sources",
        "with the next poll, 15 minutes later at most",
        scene="named",
        at_start=True,
    ),
    Operation(
        "GetCallerIdentity",
        "account",
        "`aws_account_id` empty, or as last known",
        "everything else; all sources are polled on time",
        _NEXT_ROUND,
        is_scoped=False,
        at_start=True,
    ),
    Operation(
        "AssumeRole",
        "credentials",
        "`qbusiness_poll_success` 0 for all sources, once the credentials at hand have expired",
        "all else that is said of them",
        "with the next poll, 15 minutes later at most; discovery with its next round",
        scene="role",
        is_scoped=False,
    ),
)


def makes_sense(fault: Fault, operation: Operation) -> bool:
    """Tell whether a fault can befall an operation at all."""
    if fault.of_jobs:
        return operation.name == JOBS
    if fault.by_token:
        return operation.is_paged
    return operation.is_list or not fault.of_lists


def cells() -> Iterator[Cell]:
    """Yield the whole matrix."""
    for operation, fault in product(OPERATIONS, FAULTS):
        if not makes_sense(fault, operation):
            continue
        pages = (1, 2) if operation.is_paged and not fault.by_token else (1,)
        for page, scope in product(pages, ("one", "all") if operation.is_scoped else ("all",)):
            yield Cell(fault, operation, page, scope)
