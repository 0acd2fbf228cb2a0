"""The cache of credentials: its attempts, renewals and reports, on virtual time."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from exporter.aws.credential_cache import CredentialCache
from exporter.aws.credentials import Attempt, AwsCredentials, CredentialObserver
from exporter.domain.units import HOUR, MINUTE
from exporter.errors import ProviderError, Reason, StoppedError
from simulation.virtual_clock import VirtualClock
from simulation.virtual_host import VirtualHost

if TYPE_CHECKING:
    from collections.abc import Callable

START = 1_790_000_000.0


class RecordingCredentialObserver(CredentialObserver):
    """Records all notifications."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def credentials_failed(self, error: ProviderError) -> None:
        """Record a failure."""
        self.events.append(f"failed: {error}")

    def credentials_refused(self, error: ProviderError) -> None:
        """Record a refusal."""
        self.events.append(f"refused: {error}")

    def credentials_lost(self, error: ProviderError) -> None:
        """Record the loss."""
        self.events.append(f"lost: {error}")

    def credentials_replaced(self) -> None:
        """Record the replacement."""
        self.events.append("replaced")

    def credentials_recovered(self) -> None:
        """Record the recovery."""
        self.events.append("recovered")

    def failure_inherited(self, error: ProviderError, *, is_lost: bool) -> None:
        """Record the failure."""
        self.events.append(f"inherited: {error}, {is_lost=}")


class CacheRig:
    """A cache on virtual time, with a source of credentials that takes `seconds`, and fails with `error`."""

    def __init__(self) -> None:
        self.clock = VirtualClock(START, random.Random(1))
        self.host = VirtualHost(self.clock)
        self.observer = RecordingCredentialObserver()
        self.error = ""
        self.seconds = 1.0
        self.lifetime: float | None = HOUR
        self.has_static_keys = False
        self.started: list[float] = []
        self.in_progress = self.most_in_progress = 0
        self.cache = CredentialCache(self.obtain, 20.0, self.host, self.observer)
        self.results: list[str] = []

    def obtain(self, attempt: Attempt) -> AwsCredentials:
        """Return credentials after some time, or fail."""
        self.started.append(self.now)
        attempt.activity = "AssumeRole"
        self.in_progress += 1
        self.most_in_progress = max(self.most_in_progress, self.in_progress)
        self.host.pause(self.seconds)
        self.in_progress -= 1
        if self.error:
            raise ProviderError(Reason.CREDENTIALS, self.error)
        expires = None if self.lifetime is None else self.host.time() + self.lifetime
        return AwsCredentials("key-1" if self.has_static_keys else f"key-{len(self.started)}", "secret", None, expires)

    @property
    def now(self) -> float:
        """Return the seconds since the start."""
        return self.clock.now - START

    def run(self, seconds: float) -> None:
        """Advance the time."""
        self.clock.run(self.clock.now + seconds)

    def request(self, after: Callable[[], None] = lambda: None) -> None:
        """Request credentials in its own thread; `after` runs in it when there are some."""

        def work() -> None:
            try:
                self.results.append(f"{self.cache.current().access_key} at {self.now:g}")
                after()
            except ProviderError as error:
                self.results.append(f"{error} at {self.now:g}")
            except StoppedError:
                self.results.append(f"stopped at {self.now:g}")

        self.host.thread("request", work).start()

    def requested(self, after: Callable[[], None] = lambda: None) -> str:
        """Request credentials, and return the result, which must be there immediately."""
        self.results.clear()
        self.request(after)
        self.run(0.001)
        (result,) = self.results
        return result.rpartition(" at ")[0]

    def requested_and_refused(self, operation: str = "") -> str:
        """Request credentials that AWS then refuses, and return them."""
        error = ProviderError(Reason.CREDENTIALS, "ExpiredToken", operation=operation)
        return self.requested(lambda: self.cache.refused(error))

    def requested_and_accepted(self, operation: str = "") -> str:
        """Request credentials that AWS then accepts, and return them."""
        return self.requested(lambda: self.cache.accepted(operation))


@pytest.fixture
def world() -> CacheRig:
    """Return a cache whose source works."""
    return CacheRig()


def test_all_requests_share_one_attempt(world: CacheRig) -> None:
    """Requests that come during an attempt wait for it."""
    for _ in range(8):
        world.request()
    world.run(2)
    assert world.results == ["key-1 at 1"] * 8
    assert len(world.started) == 1


def test_an_attempt_that_hangs_fails_all_requests_at_the_deadline(world: CacheRig) -> None:
    """Later requests fail immediately, and no second attempt starts while the first one hangs."""
    world.seconds = HOUR
    for _ in range(8):
        world.request()
    world.run(21)
    assert world.results == ["AssumeRole: no response within 20 s at 20"] * 8
    assert world.requested() == "AssumeRole: no response within 20 s"
    world.run(HOUR / 2)
    assert len(world.started) == world.most_in_progress == 1
    assert world.observer.events == [
        "failed: AssumeRole: no response within 20 s",
        "lost: AssumeRole: no response within 20 s",
    ]


def test_credentials_that_come_late_are_used(world: CacheRig) -> None:
    """The attempt counts as failed at the deadline, and its result ends the failure."""
    world.seconds = 30
    world.request()
    world.run(31)
    assert world.requested() == "key-1"
    assert world.observer.events == [
        "failed: AssumeRole: no response within 20 s",
        "lost: AssumeRole: no response within 20 s",
        "recovered",
    ]


def test_a_failure_is_retried_without_requests(world: CacheRig) -> None:
    """The pause doubles from 5 s to a minute, and meanwhile requests fail immediately."""
    world.error, world.seconds = "denied", 0.0
    world.request()
    world.run(200)
    assert [round(moment) for moment in world.started] == [0, 5, 15, 35, 75, 135, 195]
    assert world.requested() == "denied"
    assert world.observer.events == ["failed: denied", "lost: denied", *["failed: denied"] * 6]
    world.error = ""
    world.run(60)
    assert world.requested() == "key-8"
    assert world.observer.events[-1] == "recovered"


@pytest.mark.parametrize(("lifetime", "renewed_at"), [(HOUR, 2701), (12 * HOUR, 12 * HOUR - 899), (60.0, 46)])
def test_credentials_are_renewed_ahead_of_expiry(world: CacheRig, lifetime: float, renewed_at: float) -> None:
    """By 15 minutes, or by a quarter of a shorter lifetime."""
    world.lifetime = lifetime
    world.request()
    world.run(renewed_at + 0.5)
    assert [round(moment) for moment in world.started] == [0, renewed_at]


def test_a_failed_renewal_matters_at_expiry(world: CacheRig) -> None:
    """Until then, requests continue. The loss is reported when it occurs, and not at the next request."""
    world.request()
    world.run(100)
    world.error = "denied"
    world.run(HOUR - 200)
    assert world.requested() == "key-1"
    assert set(world.observer.events) == {"failed: denied"}
    world.run(150)
    assert world.observer.events.count("lost: denied") == 1
    assert world.requested() == "denied"


def test_credentials_without_expiry_are_obtained_once(world: CacheRig) -> None:
    """Access keys do not expire."""
    world.lifetime = None
    world.request()
    world.run(1000 * HOUR)
    assert world.requested() == "key-1"


def test_credentials_that_have_expired_already_are_a_failure(world: CacheRig) -> None:
    """The clock of the host may be wrong."""
    world.lifetime = -60.0
    world.request()
    world.run(2)
    assert "expired when they were obtained" in world.results[0]


def test_refused_credentials_are_obtained_again(world: CacheRig) -> None:
    """The replacement is reported immediately. The failure is over when AWS has accepted the new ones."""
    world.request()
    world.run(10)
    world.requested_and_refused()
    world.requested_and_accepted()  # of a request that AWS received before
    world.run(2)
    assert [round(moment) for moment in world.started] == [0, 10]
    assert world.observer.events == ["refused: ExpiredToken", "replaced"]
    assert world.requested_and_accepted() == "key-2"
    world.run(1)
    assert world.observer.events == ["refused: ExpiredToken", "replaced", "recovered"]


def test_refusals_cause_few_attempts(world: CacheRig) -> None:
    """Many requests with the same credentials are one refusal, and the pause doubles from 5 s to 15 minutes."""
    world.seconds = 0.0
    world.request()
    for _ in range(1800):
        world.run(1)
        world.requested_and_refused()
    assert [round(moment) for moment in world.started] == [0, 5, 15, 35, 75, 155, 315, 635, 1275]
    assert world.observer.events == ["refused: ExpiredToken", "replaced"] * 8 + ["refused: ExpiredToken"]
    world.run(15 * MINUTE)
    world.requested_and_accepted()
    assert world.observer.events[-1] == "recovered"
    before = len(world.started)
    world.requested_and_refused()
    world.run(1)
    assert len(world.started) == before + 1


@pytest.mark.parametrize("has_static_keys", [False, True])
@pytest.mark.parametrize("is_always_refused", [False, True])
def test_one_operation_that_refuses_all_credentials_causes_few_attempts(
    world: CacheRig, *, has_static_keys: bool, is_always_refused: bool
) -> None:
    """The pause grows although all other operations accept each replacement, or the same one accepts every other."""
    world.lifetime, world.has_static_keys, world.seconds = None, has_static_keys, 0.0
    world.request()
    for second in range(1800):
        world.run(1)
        world.requested_and_accepted("ListIndices")
        if is_always_refused or second % 2:
            world.requested_and_refused("ListDataSources")
        else:
            world.requested_and_accepted("ListDataSources")
    assert len(world.started) == pytest.approx(9, abs=1)
    world.run(15 * MINUTE)
    world.requested_and_accepted("ListDataSources")
    before = len(world.started)
    world.requested_and_refused("ListDataSources")
    world.run(1)
    assert len(world.started) == before + 1


def test_credentials_that_a_second_operation_refuses_are_replaced_immediately(world: CacheRig) -> None:
    """The pause of an operation that refuses all credentials must not delay the replacement of expired ones."""
    world.lifetime, world.seconds = None, 0.0
    world.request()
    for _ in range(600):
        world.run(1)
        world.requested_and_accepted("ListIndices")
        world.requested_and_refused("ListDataSources")
    world.run(10)
    before = len(world.started)
    world.requested_and_refused("ListIndices")
    world.run(1)
    assert len(world.started) == before + 1


def test_the_same_credentials_are_no_replacement(world: CacheRig) -> None:
    """They are requested again every minute, because a file may contain others later."""
    world.lifetime, world.has_static_keys, world.seconds = None, True, 0.0
    world.request()
    world.run(10)
    world.requested_and_refused()
    world.run(HOUR)
    assert len(world.started) == 64
    assert world.observer.events == ["refused: ExpiredToken"]
    world.has_static_keys = False
    world.run(MINUTE)
    assert world.observer.events == ["refused: ExpiredToken", "replaced"]
    assert world.requested_and_accepted() != "key-1"
    assert world.observer.events[-1] == "recovered"


def test_the_same_credentials_may_be_accepted_later(world: CacheRig) -> None:
    """New access keys work everywhere only after some seconds."""
    world.lifetime, world.has_static_keys = None, True
    world.request()
    world.run(10)
    world.requested_and_refused()
    world.run(10)
    assert world.requested_and_accepted() == "key-1"
    assert world.observer.events == ["refused: ExpiredToken", "recovered"]


def test_a_refusal_of_replaced_credentials_changes_nothing(world: CacheRig) -> None:
    """A request that was in flight when they were replaced says nothing about the new ones."""

    def refuse_late() -> None:
        world.host.pause(HOUR)
        world.cache.refused(ProviderError(Reason.CREDENTIALS, "ExpiredToken"))

    world.request(refuse_late)
    world.run(HOUR + 100)
    assert world.observer.events == []
    assert len(world.started) == 2


def test_the_rate_limiter_does_not_use_up_the_deadline(world: CacheRig) -> None:
    """An attempt that has to wait for its turn does not hang."""
    attempt = Attempt(world.host, 20.0)
    world.run(5)

    def wait() -> None:
        with attempt.suspended():
            world.host.pause(100)

    world.host.thread("attempt", wait).start()
    world.run(50)
    assert attempt.remaining() == pytest.approx(15)
    world.run(60)
    assert attempt.remaining() == pytest.approx(5, abs=0.1)


def test_nothing_is_reported_after_the_stop(world: CacheRig) -> None:
    """A replaced target no longer reports, and a request ends."""
    world.error, world.seconds = "denied", 10.0
    world.request()
    world.run(5)
    world.cache.stop()
    world.run(HOUR)
    assert world.results == ["stopped at 5"]
    assert world.observer.events == []
    assert len(world.started) == 1


def test_a_successor_starts_with_the_credentials(world: CacheRig) -> None:
    """It makes no attempt before they are due for renewal."""
    world.request()
    world.run(10)
    world.cache.stop()
    world.cache = CredentialCache(world.obtain, 20.0, world.host, world.observer, world.cache)
    assert world.requested() == "key-1"
    world.run(HOUR)
    assert len(world.started) == 2


def test_a_successor_continues_a_failure(world: CacheRig) -> None:
    """Otherwise the recovery would not be reported. The next attempt is made immediately."""
    world.error, world.seconds = "denied", 0.0
    world.request()
    world.run(70)
    world.cache.stop()
    world.observer.events.clear()
    world.cache = CredentialCache(world.obtain, 20.0, world.host, world.observer, world.cache)
    assert world.requested() == "denied"
    assert world.observer.events == ["inherited: denied, is_lost=True", "failed: denied"]
    world.error = ""
    world.run(10)
    assert world.observer.events[2:] == ["recovered"]


def test_a_successor_does_not_wait_with_refused_credentials(world: CacheRig) -> None:
    """It obtains others before AWS refuses one of its requests."""
    world.request()
    world.run(10)
    world.requested_and_refused()
    world.cache.stop()
    world.observer.events.clear()
    world.cache = CredentialCache(world.obtain, 20.0, world.host, world.observer, world.cache)
    assert world.requested() == "key-1"
    world.run(2)
    assert world.observer.events == ["inherited: ExpiredToken, is_lost=False", "replaced"]


def test_credentials_hide_their_secrets() -> None:
    """They may occur in a log line or a traceback."""
    assert "secret" not in repr(AwsCredentials("key", "secret-key", "secret-token"))
