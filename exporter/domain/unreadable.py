"""Resources that a target could not read, for readers without access to the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.errors import ProviderError, Reason


@dataclass(frozen=True, slots=True)
class UnreadableResource:
    """A resource in words, with its application, and the error of the request for it.

    The message of the error is only in the log, because it may contain names of roles. `operation` and `code` are empty
    if there are none.
    """

    resource: str
    reason: Reason
    operation: str = ""
    code: str = ""

    @classmethod
    def of(cls, resource: str, error: ProviderError) -> UnreadableResource:
        """Return a resource for which a request failed with an error."""
        return cls(resource, error.reason, error.operation, error.code)

    def __str__(self) -> str:
        """Return the resource, and the operation with its error."""
        error = ": ".join(word for word in (self.operation, self.code or self.reason) if word)
        return f"{self.resource} ({error})"
