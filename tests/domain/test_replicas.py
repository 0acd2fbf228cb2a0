"""The rules by which replicas own targets, without a database."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.epoch_memory import EpochMemory
from exporter.domain.replicas import (
    OUTAGE_GRACE,
    Membership,
    Replica,
    TargetRow,
    choose_owners,
    choose_surplus,
    without_owner,
    without_replica,
)

KEYS = [f"k{n}" for n in range(12)]


def members(replicas: str, **owned: str) -> Membership:
    """Return live replicas with one-letter ids, and the owners of targets; all have all targets configured."""
    live = {id_: Replica(id_, id_, targets=dict.fromkeys(KEYS, "")) for id_ in replicas}
    return Membership(live, {key: TargetRow(key, owner, 1, 0) for key, owner in owned.items()})


def test_a_target_without_a_live_owner_is_free() -> None:
    """Its owner has left or died, or it never had one."""
    found = without_owner(members("ab", k0="a", k1="gone", k2=""))
    assert found == set(KEYS) - {"k0"}


def test_free_targets_go_to_the_replica_that_owns_the_fewest() -> None:
    """Those that are chosen in the same beat count too."""
    chosen = choose_owners(members("ab", k0="a", k1="a", k2="a"), ["k3", "k4", "k5", "k6", "k7"])
    assert Counter(chosen.values()) == {"b": 4, "a": 1}


def test_only_a_replica_that_has_a_target_configured_may_own_it() -> None:
    """During a rollout of the configuration, replicas have different targets."""
    live = {"a": Replica("a", "a", targets={"k0": ""}), "b": Replica("b", "b", targets={"k1": ""})}
    assert choose_owners(Membership(live), ["k0", "k1", "k2"]) == {"k0": "a", "k1": "b"}


@given(st.permutations("abcd"), st.permutations(KEYS))
def test_all_replicas_choose_the_same_owners(replicas: list[str], keys: list[str]) -> None:
    """The order in which a replica has read the rows does not matter."""
    assert choose_owners(members("".join(replicas)), keys) == choose_owners(members("abcd"), KEYS)


@given(st.dictionaries(st.sampled_from(KEYS), st.sampled_from("abc")))
def test_balancing_ends_with_a_difference_of_at_most_one(owned: dict[str, str]) -> None:
    """Each step moves one target, and no step undoes another one."""
    found = members("abc", **owned)
    for _ in range(len(KEYS)):
        moves = [move for id_ in "abc" if (move := choose_surplus(found, id_, KEYS))]
        if not moves:
            break
        key, successor = moves[0]
        found = members("abc", **{**{row.key: row.owner or "" for row in found.targets.values()}, key: successor})
    loads = [found.loads()[id_] for id_ in "abc"]
    assert max(loads) - min(loads) <= 1
    assert sum(loads) == len(owned)


def test_a_difference_of_one_moves_nothing() -> None:
    """Three targets on two replicas stay where they are."""
    assert [choose_surplus(members("ab", k0="a", k1="a", k2="b"), id_, KEYS) for id_ in "ab"] == [None, None]


def test_only_a_target_that_runs_is_handed_over() -> None:
    """A target that has not started, or whose state cannot be read, does not prevent the move of another one."""
    found = members("ab", **dict.fromkeys(KEYS[:4], "a"))
    assert [choose_surplus(found, "a", [key]) for key in KEYS[:4]] == [(key, "b") for key in KEYS[:4]]
    assert choose_surplus(found, "a", []) is None


def test_targets_of_a_replica_that_leaves_are_spread_over_the_others() -> None:
    """A stop hands everything over immediately."""
    owned = dict.fromkeys(KEYS[:6], "a")
    chosen = choose_owners(without_replica(members("abc", **owned), "a"), owned)
    assert Counter(chosen.values()) == {"b": 3, "c": 3}


def test_the_last_replica_has_no_successor() -> None:
    """Its targets have no owner until a replica starts."""
    assert choose_owners(without_replica(members("a", k0="a"), "a"), ["k0"]) == {}


def test_an_epoch_that_falls_shows_that_the_database_went_back() -> None:
    """The target is left alone for some time, and its next owner has an epoch that no owner had before."""
    memory = EpochMemory()
    memory.observe({"k": TargetRow("k", "b", 5, 9)}, 0.0)
    old = TargetRow("k", "a", 3, 7)
    memory.observe({"k": old}, 100.0)
    memory.observe({"k": old}, 105.0)
    assert memory.is_left_alone("k", old, 100.0 + OUTAGE_GRACE - 0.1)
    assert not memory.is_left_alone("k", old, 100.0 + OUTAGE_GRACE)
    assert memory.next_epoch(old) == 6


def test_a_target_whose_row_is_gone_is_left_alone_too() -> None:
    """A standby may lack the row of a new target."""
    memory = EpochMemory()
    memory.observe({"k": TargetRow("k", "b", 1, 0)}, 0.0)
    memory.observe({}, 1.0)
    assert memory.is_left_alone("k", None, 1.0)


@pytest.mark.parametrize(("owner", "is_left_alone"), [("a", True), (None, False)])
def test_after_an_outage_only_targets_of_others_are_left_alone(owner: str | None, is_left_alone: bool) -> None:  # noqa: FBT001
    """Their owners reconnect within seconds; a target that was handed over to no replica has none."""
    memory, row = EpochMemory(), TargetRow("k", owner, 1, 0)
    memory.outage_ended(50.0)
    assert memory.is_left_alone("k", row, 55.0) is is_left_alone
    assert not memory.is_left_alone("k", row, 50.0 + OUTAGE_GRACE)
