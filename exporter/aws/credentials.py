"""Credentials, one attempt to obtain them, and the observer of their changes."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.errors import ProviderError, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.runtime import Clock

EXPIRED = "the credentials were expired when they were obtained, or the clock of this host is wrong"


@dataclass(frozen=True, slots=True, eq=False)
class AwsCredentials:
    """Credentials for signing requests; `expires_at` is on the host's clock, None if they do not expire."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False, default=None)
    expires_at: float | None = None

    def has_keys_of(self, other: AwsCredentials) -> bool:
        """Return whether requests are signed with the same keys and the same token."""
        mine, others = ((each.access_key, each.secret_key, each.token) for each in (self, other))
        return mine == others


class CredentialObserver:
    """Is notified of changes to the credentials of a target. This base class ignores them."""

    def credentials_failed(self, error: ProviderError) -> None:
        """Record an attempt that failed. The current credentials may still be valid."""

    def credentials_refused(self, error: ProviderError) -> None:
        """Record that AWS refused the current credentials."""

    def credentials_replaced(self) -> None:
        """Record that the refused credentials were replaced by others, which AWS may accept."""

    def credentials_lost(self, error: ProviderError) -> None:
        """Record that there are no valid credentials, so that every request will fail."""

    def credentials_recovered(self) -> None:
        """Record that credentials were obtained or accepted again, after a failure or a refusal."""

    def failure_inherited(self, error: ProviderError, *, is_lost: bool) -> None:
        """Record a failure that was reported before a reload, and has not ended."""


class Attempt:
    """One attempt to obtain credentials, and how much of the deadline it has used."""

    def __init__(self, clock: Clock, deadline: float) -> None:
        self._clock = clock
        self._deadline = deadline
        self._suspensions = 0
        self.started_at = self._resumed_at = clock.monotonic()
        self._used = 0.0
        self.activity = ""
        """The request or process that the attempt waits for, to begin an error message; empty before it is known."""

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Stop the clock of the deadline while the rate limiter delays the attempt, because nothing hangs then."""
        self._used, self._suspensions = self._used_until_now(), self._suspensions + 1
        try:
            yield
        finally:
            self._resumed_at, self._suspensions = self._clock.monotonic(), self._suspensions - 1

    def time(self) -> float:
        """Return the time of the host's clock, in seconds since the epoch."""
        return self._clock.time()

    def remaining(self) -> float:
        """Return the seconds until the deadline; while the attempt is suspended, at least one."""
        remaining = self._deadline - self._used_until_now()
        return max(1.0, remaining) if self._suspensions else remaining

    def _used_until_now(self) -> float:
        running = 0.0 if self._suspensions else self._clock.monotonic() - self._resumed_at
        return self._used + running

    def late(self) -> ProviderError:
        """Return the error of an attempt that has not ended in time."""
        text = f"no response within {self._deadline:g} s"
        message = f"{self.activity}: {text}" if self.activity else f"credentials: {text}"
        return ProviderError(Reason.CREDENTIALS, message, code="timeout")
