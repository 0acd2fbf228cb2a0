"""The source of credentials for an account's targets, such as a metadata service, and its faults."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.aws.credentials import AwsCredentials
from exporter.domain.units import HOUR
from exporter.errors import ProviderError, Reason
from exporter.simulator.wire import ServiceError

if TYPE_CHECKING:
    from random import Random

    from exporter.aws.credentials import Attempt
    from simulation.trace import Trace
    from simulation.virtual_clock import VirtualClock
    from simulation.virtual_host import VirtualHost

LIFETIMES = (HOUR, 12 * HOUR, math.inf)  # lifetime of credentials, in seconds
NEVER = -math.inf
_PREFIX = "AKID"


@dataclass(frozen=True, slots=True)
class IssuedCredentials:
    """Issued credentials; `usable_until` is on the clock of the host, and `expires_at` on AWS's."""

    requested_at: float
    usable_until: float
    expires_at: float


@dataclass(slots=True)
class HeldCredentials:
    """The credentials of a target in the running process, from the service's view; `number` is in the access key.

    `usable_until` is on the clock of the host, like the decisions of the program. `refused_since` is the time of the
    first refusal by AWS since it last accepted a request of the target. `replaced_at` is the time at which others were
    issued after the refusal, and `used_at` is the time at which a request first used these. `failures` is the number of
    attempts that failed or were late, and `issued_at` are the times of the others.
    """

    requested_at: float = NEVER
    usable_until: float = NEVER
    number: int | None = None
    refused_since: float | None = None
    replaced_at: float | None = None
    used_at: float = math.inf
    failures: int = 0
    issued_at: list[float] = field(default_factory=list)


class CredentialSource:
    """Issues credentials. AWS accepts them until they expire or are replaced."""

    def __init__(self, clock: VirtualClock, rng: Random, trace: Trace) -> None:
        self._clock = clock
        self._rng = rng
        self._trace = trace
        self.lifetime = rng.choice(LIFETIMES)
        self.works_since = clock.now
        self.held: dict[str, HeldCredentials] = defaultdict(HeldCredentials)
        self._fails_until = self._hangs_until = NEVER
        self._hang_seconds = 0.0
        self._issued: list[IssuedCredentials] = []  # by the number in the access key
        self._first_accepted = 0

    # The methods that the program calls.

    def obtain(self, target: str, attempt: Attempt, host: VirtualHost) -> AwsCredentials:
        """Return credentials; wait while the source hangs, and raise ProviderError while it fails."""
        held = self.held[target]
        held.requested_at = self._clock.now
        host.pause(self._rng.uniform(0.01, 0.5))
        host.pause(min(self._hang_seconds, self._hangs_until - self._clock.now))
        is_broken = self._clock.now < max(self._fails_until, self._hangs_until)
        held.failures += is_broken or attempt.remaining() <= 0
        if is_broken:
            raise ProviderError(Reason.CREDENTIALS, "the credential helper failed", code="Simulated")
        return self._issue(target, held, host)

    def inherit(self, target: str, credentials: AwsCredentials | None) -> None:
        """Record that a new target begins with the credentials of another one, or without any."""
        self.held[target] = HeldCredentials()
        if credentials:
            issued = self._issued[_number_of(credentials.access_key)]
            self.held[target] = HeldCredentials(issued.requested_at, issued.usable_until)

    def _issue(self, target: str, held: HeldCredentials, host: VirtualHost) -> AwsCredentials:
        expires_at = self._clock.now + self.lifetime
        held.usable_until = self._clock.now + expires_at - host.time()
        held.replaced_at, held.used_at = self._clock.now if held.refused_since else None, math.inf
        held.number = len(self._issued)
        held.issued_at.append(self._clock.now)
        access_key = f"{_PREFIX}{held.number}"
        self._issued.append(IssuedCredentials(held.requested_at, held.usable_until, expires_at))
        self._trace.note("credentials issued", target, expires_at)
        return AwsCredentials(access_key, "simulated", expires_at=None if expires_at == math.inf else expires_at)

    def authorize(self, target: str, access_key: str) -> None:
        """Raise ServiceError if AWS refuses the credentials of a request of a target."""
        number, held = _number_of(access_key), self.held[target]
        if number == held.number:
            held.used_at = min(held.used_at, self._clock.now)
        if number >= self._first_accepted and self._clock.now < self._issued[number].expires_at:
            held.refused_since = None
            return
        held.refused_since = held.refused_since or self._clock.now
        name = "UnrecognizedClientException" if number < self._first_accepted else "ExpiredTokenException"
        raise ServiceError(name, 403, "The security token included in the request is invalid")

    # Faults.

    def fail(self, until: float) -> None:
        """Fail each attempt until a time."""
        self._fails_until = max(self._fails_until, until)
        self.works_since = max(self._fails_until, self._hangs_until)

    def hang(self, until: float, seconds: float) -> None:
        """Make attempts hang until a time. After `seconds`, the credential process is killed, and the attempt fails."""
        self._hangs_until, self._hang_seconds = max(self._hangs_until, until), seconds
        self.works_since = max(self._fails_until, self._hangs_until)

    def rotate(self) -> None:
        """Replace all credentials, so that AWS refuses those that were issued before."""
        self._first_accepted = len(self._issued)

    def repair(self) -> None:
        """End all faults."""
        self._fails_until = self._hangs_until = NEVER
        self.works_since = min(self.works_since, self._clock.now)


def _number_of(access_key: str) -> int:
    """Return the number of the credentials with an access key."""
    return int(access_key.removeprefix(_PREFIX))
