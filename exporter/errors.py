"""The exceptions that this program raises deliberately.

ExporterError
├── ConfigError     the configuration cannot be used; carries every problem found
├── StartupError    the program cannot start: an address is in use, or a state file is locked
└── ProviderError   a request to AWS failed or its response is unusable; carries a reason from a closed set

StoppedError        the program is stopping and sends no more requests; not a failure, so outside the tree
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """The reasons of failed polls: the values of the `reason` label, a closed set."""

    ACCESS_DENIED = "access_denied"
    CONFLICT = "conflict"
    CONNECTION = "connection"
    CREDENTIALS = "credentials"
    INTERNAL = "internal"  # a bug in the exporter; the log has the traceback
    INVALID_REQUEST = "invalid_request"
    MALFORMED_RESPONSE = "malformed_response"
    NOT_FOUND = "not_found"
    PAGINATION = "pagination"
    SERVER_ERROR = "server_error"
    THROTTLED = "throttled"
    TIMEOUT = "timeout"


class ExporterError(Exception):
    """Base class of the errors that this program raises deliberately."""


@dataclass(frozen=True, slots=True, order=True)
class ConfigProblem:
    """One problem in a file and its position. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        """Return the problem in the format of compilers, so that editors can jump to its position."""
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class ConfigError(ExporterError):
    """The configuration cannot be used. `problems` has all of its problems."""

    def __init__(self, problems: list[ConfigProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class StartupError(ExporterError):
    """The program cannot start, for a reason outside the text of its configuration."""


class ProviderError(ExporterError):
    """A request to AWS failed, or its response is unusable.

    `reason` is for metrics. `code` is AWS's error code or the name of an exception. The message is for logs and pages.
    """

    def __init__(self, reason: Reason, message: str, *, operation: str = "", code: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.operation = operation
        self.code = code

    def __str__(self) -> str:
        """Return the operation and the message."""
        message = super().__str__()
        return f"{self.operation}: {message}" if self.operation else message

    @property
    def is_refusal(self) -> bool:
        """Whether AWS will reject the request until permissions, resources or the configuration change.

        A code that is an HTTP status comes from a proxy and not from the service, so it is not a refusal.
        """
        refused = self.reason in {Reason.ACCESS_DENIED, Reason.NOT_FOUND, Reason.INVALID_REQUEST}
        return refused and not self.code.isdecimal()


class StoppedError(BaseException):
    """The program is stopping. Ends the current work of a thread that was about to send a request.

    Like asyncio.CancelledError it is not an Exception, so that code that records failures does not record it.
    """
