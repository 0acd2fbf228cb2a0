"""The requests and transactions of replicas together, on virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.replicas.cluster import count_work

if TYPE_CHECKING:
    from benchmarks.replicas.cluster import Work

SEEDS = (1, 2, 3)


def test_replicas_send_as_many_requests_as_one() -> None:
    """Three replicas send the polls and the commits of one, and only the beats of two more."""
    one, three = ([count_work(seed, replicas) for seed in SEEDS] for replicas in ("a", "abc"))
    requests, polls, commits, others = zip(*map(total, (one, three)), strict=True)
    assert requests[1] <= 1.05 * requests[0]
    assert polls[1] <= 1.05 * polls[0]
    assert commits[1] <= 1.05 * commits[0]
    assert others[1] <= 3.05 * others[0]


def total(works: list[Work]) -> list[float]:
    """Return the sums over clusters."""
    return [sum(values) for values in zip(*works, strict=True)]
