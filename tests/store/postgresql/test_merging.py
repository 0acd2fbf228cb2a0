"""Targets that are polled under their names until AWS has responded, and then turn out to be one."""

from __future__ import annotations

import pytest

from exporter.domain.target_identity import ConfiguredTarget
from exporter.errors import StoppedError
from tests.support.state_files import KEY, make_history
from tests.support.stepped_replica import SteppedReplica, key

FIRST, SECOND = (ConfiguredTarget(name, "qbusiness", "us-east-1") for name in ("first", "second"))
ACCOUNT = "000000000001"
OTHER_KEY = "application/index/other source"


def test_two_targets_of_one_account_keep_all_counts(database: str) -> None:
    """The state of the first one with an account is the older one. It gets the other data sources."""
    with SteppedReplica(database, "a", FIRST, SECOND) as a:
        a.beat()
        first, second = (a.coordinator.partitions[f"name/{each}"] for each in ("first", "second"))
        first.commit({KEY: make_history(2)})
        second.commit({KEY: make_history(9), OTHER_KEY: make_history(3)})
        second.save_name("application/b", "intranet")
        a.commit_all()
        first.save_account("first", ACCOUNT, key(1))
        a.coordinator.leaving = {key(1): "b"}
        second.save_account("second", ACCOUNT, key(1))
        assert (a.owned, a.coordinator.leaving) == ({key(1)}, {})
        both = a.partition()
        assert (both.history(KEY), both.history(OTHER_KEY)) == (make_history(2), make_history(3))
        assert both.name("application/b") == "intranet"
        both.commit({OTHER_KEY: make_history(4)})
        assert (a.beat(), set(a.coordinator.members.targets)) == ({key(1)}, {key(1)})
        assert a.partition() is both


def test_a_target_of_another_replica_gets_the_counts(database: str) -> None:
    """The other replica reads them before its next commit."""
    with SteppedReplica(database, "a", FIRST) as a, SteppedReplica(database, "b", SECOND) as b:
        a.beat()
        b.beat()
        first, second = a.coordinator.partitions["name/first"], b.coordinator.partitions["name/second"]
        first.commit({KEY: make_history(2)})
        first.save_account("first", ACCOUNT, key(1))
        second.commit({OTHER_KEY: make_history(3)})
        second.save_account("second", ACCOUNT, key(1))
        assert (b.owned, second.is_open) == (set(), False)
        with pytest.raises(StoppedError):
            first.commit({KEY: make_history(4)})
        assert a.owned == {key(1)}
        assert (a.partition().history(KEY), a.partition().history(OTHER_KEY)) == (make_history(2), make_history(3))
