"""Everything that this program raises on purpose.

ExporterError
├── ConfigError     the configuration cannot be used; carries every problem found
├── StartupError    the program cannot start: an address in use, a state file held by another
└── ProviderError   a request to AWS did not give what was asked for; carries a reason from a closed set

StoppedError        the program is stopping and asks nothing more; no failure, and so outside the tree
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a poll failed: the values of the `reason` label, a closed set."""

    ACCESS_DENIED = "access_denied"
    CONFLICT = "conflict"
    CONNECTION = "connection"
    CREDENTIALS = "credentials"
    INTERNAL = "internal"  # a defect of ours: the log has the traceback
    INVALID_REQUEST = "invalid_request"
    MALFORMED_RESPONSE = "malformed_response"
    NOT_FOUND = "not_found"
    PAGINATION = "pagination"
    SERVER_ERROR = "server_error"
    THROTTLED = "throttled"
    TIMEOUT = "timeout"


class ExporterError(Exception):
    """Base of every error that this program raises on purpose."""


@dataclass(frozen=True, slots=True, order=True)
class ConfigProblem:
    """One thing that is wrong in a file, and where; lines and columns count from 1."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        """Render as compilers do, so that editors can jump there."""
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class ConfigError(ExporterError):
    """The configuration cannot be used; `problems` has every reason at once."""

    def __init__(self, problems: list[ConfigProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class StartupError(ExporterError):
    """The program cannot start, for a reason outside its configuration's text."""


class ProviderError(ExporterError):
    """A request did not give what was asked for.

    `reason` is for metrics, `code` is AWS's own error code or the exception's name, and the text is for people.
    """

    def __init__(self, reason: Reason, message: str, *, operation: str = "", code: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.operation = operation
        self.code = code

    def __str__(self) -> str:
        """Say which operation it was that failed, and how."""
        message = super().__str__()
        return f"{self.operation}: {message}" if self.operation else message

    @property
    def is_refusal(self) -> bool:
        """Tell whether asking again will give the same answer until someone changes something."""
        # Where the code is a bare HTTP status, it was something on the way that answered.
        refused = self.reason in {Reason.ACCESS_DENIED, Reason.NOT_FOUND, Reason.INVALID_REQUEST}
        return refused and not self.code.isdecimal()


class StoppedError(BaseException):
    """The program is stopping: ends, in whoever was about to ask something, what was under way.

    It is no Exception, as asyncio.CancelledError is none: nothing that takes note of failures may take this for one.
    """
