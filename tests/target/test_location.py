"""The account of a target: the role, STS or an ARN confirm it, and the state remembers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Never

from exporter.domain.model import Location
from exporter.errors import ProviderError, Reason
from exporter.target.location import TargetLocation

if TYPE_CHECKING:
    from exporter.store import Store

ACCOUNT, OTHER = "111122223333", "444455556666"
ARN = f"arn:aws:qbusiness:us-east-1:{ACCOUNT}:application/a/index/i"


def fail() -> Never:
    """Fail as STS does without a route to it."""
    raise ProviderError(Reason.CONNECTION, "STS is unreachable")


def make_location(store: Store, role_account: str | None = None, name: str = "production") -> TargetLocation:
    """Return the location of a target after a start."""
    location = TargetLocation(name, "qbusiness", "us-east-1", store)
    location.restore(role_account)
    return location


def test_the_account_of_the_role_needs_no_request(store: Store) -> None:
    """It is part of the role's ARN."""
    location = make_location(store, ACCOUNT)
    location.request(fail)
    assert (location.account, location.identity) == (ACCOUNT, f"qbusiness/{ACCOUNT}/us-east-1")


def test_sts_confirms_the_account_once(store: Store) -> None:
    """Later runs send no request, and a restart shows the account before STS has responded."""
    location = make_location(store)
    assert (location.current, location.known, location.identity) == (None, None, None)
    location.request(lambda: ACCOUNT)
    location.request(fail)
    assert location.current == Location(ACCOUNT, "us-east-1")
    assert location.identity == f"qbusiness/{ACCOUNT}/us-east-1"
    restarted = make_location(store)
    assert (restarted.account, restarted.identity) == (ACCOUNT, None)


def test_an_arn_confirms_the_account_where_sts_fails(store: Store) -> None:
    """A text that is not an ARN does not."""
    location = make_location(store)
    location.request(fail)
    for text in ("", "nonsense", "arn:aws:qbusiness:us-east-1::application/a"):
        location.observe(text)
        assert (location.current, location.identity) == (None, None)
    location.continue_without()
    assert (location.current, location.known) == (Location("", "us-east-1"), None)
    location.observe(ARN)
    assert (location.account, location.identity) == (ACCOUNT, f"qbusiness/{ACCOUNT}/us-east-1")


def test_the_saved_account_gives_way_to_the_confirmed_one(store: Store) -> None:
    """The credentials of a target may have changed while the exporter was down. The change is published once."""
    make_location(store).request(lambda: OTHER)
    location, changes = make_location(store), []
    location.changed = lambda: changes.append(location.account)
    location.request(fail)
    assert (location.account, location.identity, changes) == (OTHER, None, [])
    location.request(lambda: ACCOUNT)
    location.observe(ARN)
    assert (location.account, changes) == (ACCOUNT, [ACCOUNT])
    assert make_location(store).account == ACCOUNT
