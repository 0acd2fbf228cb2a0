"""The owners of targets, read from the database."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from exporter.domain.replicas import MIN_SURPLUS

if TYPE_CHECKING:
    import psycopg

_OWNERS = (
    "SELECT target.key, coalesce(replica.address, ''), target.epoch, target.revision"
    " FROM target LEFT JOIN replica ON replica.id = target.owner AND clock_timestamp() < replica.until"
)


class Owned(NamedTuple):
    """The address of the live owner of a target, empty without one, and the numbers that order its writes."""

    owner: str
    epoch: int
    revision: int


Ownership = dict[str, Owned]
"""All targets, by key."""


def read_ownership(connection: psycopg.Connection[tuple[Any, ...]]) -> Ownership:
    """Return the owners of all targets."""
    return {key: Owned(owner, epoch, revision) for key, owner, epoch, revision in connection.execute(_OWNERS)}


def loads(ownership: Ownership) -> Counter[str]:
    """Return the number of targets of each live replica; the empty address has those without an owner."""
    return Counter(each.owner for each in ownership.values())


def is_balanced(ownership: Ownership, replicas: int) -> bool:
    """Return whether replicas own all targets, and none owns two more than another."""
    counts = loads(ownership)
    if counts[""] or len(+counts) < replicas:
        return False
    return max(counts.values()) - min((+counts).values()) < MIN_SURPLUS


def are_exposed(now: Ownership, before: Ownership) -> bool:
    """Return whether targets have a live owner that exposes them. Its first commit shows this."""
    return all(now[key].owner and now[key].revision > each.revision for key, each in before.items())
