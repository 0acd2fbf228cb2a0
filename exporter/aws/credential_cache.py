"""A target's credentials, obtained in a separate thread and renewed before they expire, with one deadline and reason.

botocore obtains and renews credentials during the request that needs them. So if a metadata service does not respond,
or a credential process hangs, the workers of the target block one after the other, and each data source fails by
itself. With this cache, no request obtains credentials. The invariants:

- At most one attempt is in progress. It runs in its own thread, so it may hang without blocking anything else.
- An attempt that has not ended within the deadline counts as failed. If it ends later, its credentials are used.
- Without valid credentials, `current` raises the last failure immediately. It waits only for an attempt that has not
  failed yet, and at most until the deadline.
- The observer is called by one thread only, and without a lock.
- A failure that was reported ends with `credentials_recovered`, even if a reload replaces the cache meanwhile.

If AWS has refused credentials, only a request shows whether it accepts the next ones. So the observer is notified of
the replacement, and retries everything that has failed. The pause before the next attempt grows with each replacement
that an operation refuses in a row (`refusal_pauses`).

Example, with a deadline of 20 s and a role whose credentials last an hour: they are renewed after 45 minutes. If STS
does not respond then, a failure is reported after 45 minutes and 20 seconds, and requests continue with the old
credentials until these expire. After that, every request fails immediately until an attempt succeeds.
"""

from __future__ import annotations

import math
from collections import deque
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from exporter.aws.credentials import EXPIRED, Attempt
from exporter.aws.refusal_pauses import RefusalPauses
from exporter.errors import ProviderError, Reason, StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.aws.credentials import AwsCredentials, CredentialObserver
    from exporter.runtime import Host

FIRST_RETRY, LAST_RETRY = 5.0, 60.0  # seconds between two attempts; doubles with every failure
RENEWAL_LEAD, RENEWAL_SHARE = 900.0, 0.25  # seconds before expiry, and at most this share of the lifetime

# The credentials that the current thread used last, so that a refusal is attributed to the right ones. A request that
# was signed with the old credentials says nothing about the new ones.
_signed_with: ContextVar[AwsCredentials | None] = ContextVar("signed_with", default=None)


@dataclass(frozen=True, slots=True)
class CacheState:
    """The credentials of a cache and the failure that it has reported, for the cache that replaces it.

    `expires` and `renews` are on the monotonic clock. `refused` are the last credentials that AWS has refused.
    """

    valid: AwsCredentials | None = None
    expires: float = math.inf
    renews: float = math.inf
    refused: AwsCredentials | None = None
    failure: ProviderError | None = None
    is_lost: bool = False


class CredentialCache:
    """Keeps the credentials of a target valid; may be used from any thread."""

    def __init__(
        self,
        obtain: Callable[[Attempt], AwsCredentials],
        deadline: float,
        host: Host,
        observer: CredentialObserver,
        previous: CredentialCache | None = None,
    ) -> None:
        """Continue with the state of `previous`; `obtain` may block, and raises ProviderError if it fails."""
        self._obtain = obtain
        self._deadline = deadline
        self._host = host
        self._observer = observer
        self._changed = host.condition()
        before = previous.snapshot() if previous else CacheState()
        self._valid, self._expires, self._renews = before.valid, before.expires, before.renews
        self._refused, self._is_lost = before.refused, before.is_lost
        self._failure = before.failure  # the last one that was reported; None after the recovery
        self._error: ProviderError | None = None  # of the last attempt
        self._attempt: Attempt | None = None
        self._is_late = False
        self._failures = 0
        self._refusal_pauses = RefusalPauses(host)
        self._due = -math.inf if before.failure else self._renews
        self._last_start = -math.inf
        self._events: deque[Callable[[], None]] = deque()
        if before.failure:
            self._events.append(partial(observer.failure_inherited, before.failure, is_lost=before.is_lost))
        self._supervisor = host.thread("credentials", self._supervise)
        self._is_stopping = False

    def snapshot(self) -> CacheState:
        """Return the current state."""
        with self._changed:
            return CacheState(
                self._valid, self._expires, self._renews, self._refused, self._failure, is_lost=self._is_lost
            )

    def current(self) -> AwsCredentials:
        """Return valid credentials.

        Raise ProviderError immediately if the last attempt failed, and StoppedError if the program stops during the
        wait.
        """
        with self._changed:
            if self._supervisor.ident is None and not self._is_stopping:
                self._supervisor.start()
            while not self._is_stopping:
                if self._valid and self._host.monotonic() < self._expires:
                    _signed_with.set(self._valid)
                    return self._valid
                if self._error:
                    raise ProviderError(Reason.CREDENTIALS, self._error.args[0], code=self._error.code)
                self._make_due(0.0)
                self._changed.wait()
        raise StoppedError

    def refused(self, error: ProviderError) -> None:
        """Record that AWS refused the credentials of this thread's last request, and obtain others.

        The credentials stay in use meanwhile, because the refusal may affect a single request only.
        """
        used = _signed_with.get()
        with self._changed:
            if used is None or used is not self._valid:
                return
            is_first = used is not self._refused
            if is_first:
                self._refused, self._failure = used, error
                self._events.append(partial(self._observer.credentials_refused, error))
            self._make_due(self._refusal_pauses.refused(error.operation, is_first=is_first))
            self._changed.notify_all()

    def accepted(self, operation: str) -> None:
        """Record that AWS accepted the credentials of this thread's last request, unless it has refused them too."""
        used = _signed_with.get()
        self._refusal_pauses.accepted(operation)
        if self._failure and used is not self._refused:
            with self._changed:
                if self._error is None and used is self._valid:
                    if self._attempt is None:
                        self._due = self._renews
                    self._recover()

    def stop(self) -> None:
        """Start no further attempt, report nothing more, and end every wait."""
        with self._changed:
            self._is_stopping = True
            self._events.clear()
            self._changed.notify_all()

    def _make_due(self, pause: float) -> None:
        """Schedule the next attempt for now, but not earlier than `pause` seconds after the start of the last one."""
        due = max(self._host.monotonic(), self._last_start + pause)
        if self._attempt is None and due < self._due:
            self._due = due
            self._changed.notify_all()

    def _supervise(self) -> None:
        """Start attempts that are due, end the wait for late ones, and call the observer."""
        while True:
            with self._changed:
                if self._is_stopping:
                    return
                wakes_in = self._step()
                if not self._events:
                    self._changed.wait(wakes_in)
                events, self._events = self._events, deque()
            for report in events:
                report()

    def _step(self) -> float | None:
        """Do everything that is due; return the seconds until something else may be due, None if nothing is."""
        now = self._host.monotonic()
        if self._attempt is None and now >= self._due:
            self._start_attempt(now)
        if self._attempt and not self._is_late and self._attempt.remaining() <= 0:
            self._is_late = True
            self._fail(self._attempt.late())
        if self._error and not self._is_lost and now >= self._expires:
            self._lose(self._error)
        late_in = self._attempt.remaining() if self._attempt and not self._is_late else math.inf
        due_in = math.inf if self._attempt else self._due - now
        expires_in = self._expires - now if self._error and not self._is_lost else math.inf
        wakes_in = min(late_in, due_in, expires_in)
        return None if wakes_in == math.inf else max(0.0, wakes_in)

    def _start_attempt(self, now: float) -> None:
        self._attempt, self._is_late = Attempt(self._host, self._deadline), False
        self._last_start, self._due = now, math.inf
        self._host.thread("credential-attempt", partial(self._run, self._attempt)).start()

    def _run(self, attempt: Attempt) -> None:
        """Make one attempt, in a thread that may hang."""
        obtained, error = None, None
        try:
            obtained = self._obtain(attempt)
        except ProviderError as raised:
            error = raised
        except StoppedError:
            self.stop()
        with self._changed:
            self._attempt = None
            if obtained:
                self._accept(obtained)
            elif error:
                was_late, self._is_late = self._is_late, False
                self._retry_later()
                if not was_late:  # otherwise the failure was reported at the deadline
                    self._fail(error)
            self._changed.notify_all()

    def _accept(self, credentials: AwsCredentials) -> None:
        lifetime = math.inf if credentials.expires_at is None else credentials.expires_at - self._host.time()
        if lifetime <= 0:
            self._retry_later()
            self._fail(ProviderError(Reason.CREDENTIALS, EXPIRED, code="Expired"))
            return
        now = self._host.monotonic()
        self._valid, self._expires, self._error = credentials, now + lifetime, None
        lead = 0.0 if lifetime == math.inf else min(RENEWAL_LEAD, RENEWAL_SHARE * lifetime)
        self._due = self._renews = self._expires - lead
        if self._refused is None or self._is_lost:
            self._recover()
        elif credentials.has_keys_of(self._refused):
            self._retry_later()  # until their source has others
        else:  # AWS has to accept them first
            self._events.append(self._observer.credentials_replaced)

    def _recover(self) -> None:
        if self._failure:
            self._events.append(self._observer.credentials_recovered)
        self._failure, self._refused, self._is_lost = None, None, False
        self._failures = 0
        self._changed.notify_all()

    def _retry_later(self) -> None:
        pause = min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(self._failures, 10))
        self._due = self._host.monotonic() + pause
        self._failures += 1

    def _fail(self, error: ProviderError) -> None:
        self._error = self._failure = error
        self._events.append(partial(self._observer.credentials_failed, error))
        if self._valid is None or self._host.monotonic() >= self._expires:
            self._lose(error)
        self._changed.notify_all()

    def _lose(self, error: ProviderError) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._events.append(partial(self._observer.credentials_lost, error))
