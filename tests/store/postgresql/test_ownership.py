"""Targets of two replicas on a real server: leases, fencing, take-over, hand-over, and a database that goes back.

The test moves the clocks of the replicas. A lease ends when the test ends it in the database, because it follows the
clock of the database.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest
from structlog.testing import capture_logs

from exporter.domain.replicas import (
    BEAT_INTERVAL,
    FIRST_CHOICE_TIME,
    LEASE_SECONDS,
    OUTAGE_GRACE,
    choose_owners,
    without_replica,
)
from exporter.domain.target_identity import ConfiguredTarget
from exporter.errors import StoppedError
from exporter.store.postgresql import leases
from exporter.store.postgresql.acquiring import MAX_UNEXPOSED
from exporter.store.postgresql.errors import UnavailableError
from exporter.store.postgresql.loading import REREAD_INTERVAL
from exporter.store.postgresql.partition import Partition
from tests.support.state_files import KEY, make_history
from tests.support.stepped_replica import SteppedReplica, key, target

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.store.postgresql.session import Transaction
    from exporter.store.state_rows import StateRows

BOTH = (target(1), target(2))


def run(url: str, sql: str) -> list[tuple[object, ...]]:
    """Run a statement on the database."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql)  # type: ignore[arg-type, unused-ignore]  # SQL of a test
        return cursor.fetchall() if cursor.description else []


def let_lapse(url: str, *names: str) -> None:
    """End the leases of some replicas now, by default those of all owners, until they beat again."""
    ids = ", ".join(f"'{name}'" for name in names) or "SELECT owner FROM target"
    run(url, f"UPDATE replica SET until = clock_timestamp() - interval '1 ms' WHERE id IN ({ids})")  # noqa: S608


def rows(url: str) -> dict[str, tuple[str | None, int]]:
    """Return owner and epoch of each target."""
    return {str(key): (owner, epoch) for key, owner, epoch in run(url, "SELECT key, owner, epoch FROM target")}  # type: ignore[misc]


def test_a_target_has_one_owner_while_its_lease_is_alive(database: str) -> None:
    """The second replica owns nothing after any of its beats."""
    with SteppedReplica(database, "a", target(1)) as a, SteppedReplica(database, "b", target(1)) as b:
        assert a.beat() == {key(1)}
        assert [b.beat() for _ in range(3)] == [set()] * 3
        assert a.beat() == {key(1)}
        assert rows(database) == {key(1): (a.id, 1)}


def test_a_lapsed_target_is_taken_over_with_its_state(database: str) -> None:
    """The next owner continues from the last commit, and a late commit of the old owner is refused."""
    with SteppedReplica(database, "a", target(1)) as a, SteppedReplica(database, "b", target(1)) as b:
        a.beat()
        old = a.partition()
        old.commit({KEY: make_history(3)})
        let_lapse(database)
        assert b.beat() == {key(1)}
        assert b.partition().history(KEY) == make_history(3)
        b.partition().commit({KEY: make_history(4)})
        with pytest.raises(StoppedError):
            old.commit({KEY: make_history(9)})
        assert (a.owned, old.is_open) == (set(), False)
        assert rows(database) == {key(1): (b.id, 2)}
    with SteppedReplica(database, "c", target(1)) as c:
        let_lapse(database, "a", "b")
        c.beat()
        assert c.partition().history(KEY) == make_history(4)


def test_an_owner_that_was_suspended_withdraws_with_its_next_beat(database: str) -> None:
    """It does so even if it does not try to commit."""
    with SteppedReplica(database, "a", target(1)) as a, SteppedReplica(database, "b", target(1)) as b:
        a.beat()
        let_lapse(database)
        b.beat()
        assert a.beat() == set()


def test_a_refused_commit_of_one_target_does_not_stop_another(database: str) -> None:
    """Both were waiting for the same transaction."""
    with SteppedReplica(database, "a", *BOTH) as a:
        a.beat()
        lost, kept = a.partition(1), a.partition(2)
        run(database, f"UPDATE target SET owner = 'other', epoch = 2 WHERE key = '{key(1)}'")  # noqa: S608
        run(database, "INSERT INTO replica VALUES ('other', '', '', clock_timestamp() + interval '10 s', '{}')")
        lost.save_name("application/a", "lost")
        kept.save_name("application/a", "kept")
        a.commit_all()
        assert a.owned == {key(2)}
        assert run(database, "SELECT target, value FROM note") == [(key(2), "kept")]


def test_the_owner_stops_calling_itself_fresh_before_its_lease_ends(database: str) -> None:
    """Its deadline counts from before the beat, on a clock that runs during a suspension."""
    with SteppedReplica(database, "a", target(1)) as a:
        assert not a.coordinator.is_fresh()
        a.beat()
        a.now = LEASE_SECONDS - 0.001
        assert a.coordinator.is_fresh()
        a.now = LEASE_SECONDS
        assert not a.coordinator.is_fresh()
        ((remaining,),) = run(database, "SELECT extract(epoch FROM until - clock_timestamp())::float FROM replica")
        assert isinstance(remaining, float)
        assert 0 < remaining <= LEASE_SECONDS


def test_a_lease_from_the_future_is_void(database: str) -> None:
    """The clock of the database was set back by an hour: a dead owner must not keep its targets."""
    with SteppedReplica(database, "a", target(1)) as a, SteppedReplica(database, "b", target(1)) as b:
        a.beat()
        run(database, "UPDATE replica SET until = clock_timestamp() + interval '1 hour'")
        assert b.beat() == {key(1)}


def test_a_beat_that_comes_first_prevents_a_take_over(database: str) -> None:
    """The other replica has seen a lapsed lease, and finds it renewed under the lock."""
    with SteppedReplica(database, "a", target(1)) as a, SteppedReplica(database, "b", target(1)) as b:
        a.beat()
        let_lapse(database)
        with psycopg.connect(database) as slow:
            slow.execute("UPDATE replica SET until = clock_timestamp() + interval '10 s' WHERE id = %s", [a.id])
            assert b.beat() == set()
            slow.commit()
        assert b.beat() == set()
        assert a.beat() == {key(1)}


def test_a_locked_row_of_a_dead_replica_delays_its_targets_only(database: str) -> None:
    """An operator has an open transaction in psql. The other replica writes its targets, and logs the lock."""
    with SteppedReplica(database, "a", target(1)) as a, SteppedReplica(database, "b", *BOTH) as b:
        a.beat()
        b.beat()
        run(database, "UPDATE replica SET until = clock_timestamp() - interval '1 ms' WHERE id = 'a'")
        b.session.lock_timeout = "100ms"
        with psycopg.connect(database) as operator, capture_logs() as logs:
            operator.execute("DELETE FROM replica WHERE id = 'a'")
            assert b.beat() == {key(2)}
            b.partition(2).commit({KEY: make_history(2)})
            operator.rollback()
        assert [(line["log_level"], line["targets"]) for line in logs] == [("warning", [key(1)])]
        assert b.beat() == {key(1), key(2)}


def test_of_two_replicas_that_see_a_free_target_one_owns_it(database: str) -> None:
    """The slower one has seen an outdated epoch, and acquires nothing."""
    with SteppedReplica(database, "a", target(1)) as a:
        a.beat()
        a.beat()
        seen = a.coordinator.members.targets[key(1)]
        mine = replace(seen, epoch=seen.epoch + 1)
        assert [a.session.run(lambda each: leases.own(each, mine, seen.epoch)) for _ in range(2)] == [mine, None]


def test_a_target_whose_next_owner_does_nothing_is_taken_by_another_one(database: str) -> None:
    """The next owner has been cut off, and its lease has not ended yet."""
    with (
        SteppedReplica(database, "a", target(1)) as a,
        SteppedReplica(database, "b", target(1)) as b,
        SteppedReplica(database, "c", target(1)) as c,
    ):
        for replica in (a, b, c):
            replica.beat()
        run(database, "UPDATE replica SET until = clock_timestamp() - interval '1 ms' WHERE id = 'a'")
        members = without_replica(b.coordinator.members, "a")
        other = {"b": c, "c": b}[choose_owners(members, [key(1)])[key(1)]]
        assert other.beat() == set()
        other.now += FIRST_CHOICE_TIME
        assert other.beat() == {key(1)}


def test_replicas_balance_one_target_per_beat_once_they_are_stable(database: str) -> None:
    """A replica that has just started does not get all targets immediately."""
    targets = [target(number) for number in range(1, 5)]
    with SteppedReplica(database, "a", *targets) as a, SteppedReplica(database, "b", *targets) as b:
        assert len(a.beat()) == 4
        a.run_targets()
        b.beat()
        leaving = []
        for _ in range(8):
            a.beat()
            leaving.append(len(a.coordinator.leaving))
            for each in list(a.coordinator.leaving):
                a.coordinator.hand_over(a.coordinator.partitions[each])
            b.beat()
        assert leaving == [0, 0, 1, 1, 0, 0, 0, 0]
        assert (len(a.owned), len(b.owned)) == (2, 2)


def test_a_target_that_does_not_run_yet_is_not_handed_over(database: str) -> None:
    """A hand-over stops a target. One that has not started would be polled by no replica."""
    with SteppedReplica(database, "a", *BOTH) as a, SteppedReplica(database, "b", *BOTH) as b:
        a.beat()
        b.beat()
        for _ in range(3):
            a.beat()
        assert a.coordinator.leaving == {}
        a.run_targets()
        a.beat()
        assert len(a.coordinator.leaving) == 1


def test_the_old_owner_knows_when_its_successor_exposes_the_target(database: str) -> None:
    """Until then it keeps the series, so that they are never absent."""
    with SteppedReplica(database, "a", target(1)) as a, SteppedReplica(database, "b", target(1)) as b:
        a.beat()
        b.beat()
        partition = a.partition()
        partition.commit({KEY: make_history(2)})
        a.beat()
        a.coordinator.hand_over(partition)
        assert not a.coordinator.is_continued(partition)
        b.beat()
        a.beat()
        assert not a.coordinator.is_continued(partition)
        b.partition().mark_restored()
        b.commit_all()
        a.beat()
        assert a.coordinator.is_continued(partition)
        assert b.partition().history(KEY) == make_history(2)


def test_a_stop_hands_everything_over(database: str) -> None:
    """The successor owns the targets with its next beat, and does not wait for a lease to end."""
    with SteppedReplica(database, "a", *BOTH) as a, SteppedReplica(database, "b", *BOTH) as b:
        a.beat()
        b.beat()
        a.beat()
        partition = a.partition(1)
        partition.commit({KEY: make_history(5)})
        a.coordinator.leave()
        with pytest.raises(StoppedError):
            partition.commit({KEY: make_history(6)})
        assert b.beat() == {key(1), key(2)}
        assert b.partition(1).history(KEY) == make_history(5)
        assert run(database, "SELECT id FROM replica") == [(b.id,)]


def test_a_stop_hands_over_targets_that_are_not_loaded_yet(database: str) -> None:
    """Two replicas stop in a row. The second one has not loaded the targets of the first one.

    This happens within the time after an outage of the database in which targets of lapsed owners are left alone.
    """
    with ExitStack() as running:
        a, b, c = (running.enter_context(SteppedReplica(database, name, *BOTH)) for name in "abc")
        for replica in (a, b, c):
            replica.beat(after_outage=True)
        run(database, f"UPDATE target SET owner = 'b', epoch = epoch + 1 WHERE key = '{key(1)}'")  # noqa: S608
        b.coordinator.leave()
        a.coordinator.leave()
        assert c.beat() == {key(1), key(2)}


def test_a_stop_leaves_a_target_whose_epoch_fell_to_the_owner_that_asserts_it(database: str) -> None:
    """A failover has lost the hand-over to the other replica, and only that replica has the last counts."""
    with SteppedReplica(database, "a", target(1)) as a, SteppedReplica(database, "b", target(1)) as b:
        a.beat()
        let_lapse(database)
        b.beat()
        b.partition().commit({KEY: make_history(7)})
        a.beat()
        run(database, f"UPDATE target SET owner = '{a.id}', epoch = 1, revision = 1")  # noqa: S608
        a.coordinator.leave()
        assert b.beat() == {key(1)}
        b.commit_all()
        assert b.partition().history(KEY) == make_history(7)


def test_the_last_replica_leaves_its_targets_to_the_next_start(database: str) -> None:
    """A restart does not wait for the lease of the process before it."""
    with SteppedReplica(database, "a", target(1)) as a:
        a.beat()
        a.partition().commit({KEY: make_history(5)})
        a.coordinator.leave()
    with SteppedReplica(database, "b", target(1)) as b:
        assert b.beat() == {key(1)}
        assert b.partition().history(KEY) == make_history(5)


def test_commits_that_a_failover_has_lost_are_written_again(database: str) -> None:
    """The new primary lacks the last commit. A counter that was scraped must not fall at the next owner."""
    with SteppedReplica(database, "a", target(1)) as a, SteppedReplica(database, "b", target(1)) as b:
        a.beat()
        a.partition().commit({KEY: make_history(2)})
        a.partition().commit({KEY: make_history(7)})
        run(database, "UPDATE target SET revision = revision - 1")
        run(database, "DELETE FROM job; UPDATE source SET totals = '{}'")
        assert a.beat() == {key(1)}
        a.commit_all()
        let_lapse(database)
        b.beat()
        assert b.partition().history(KEY) == make_history(7)


def test_a_hand_over_that_a_failover_has_lost_is_asserted_again(database: str) -> None:
    """In the new primary, the old owner looks alive, and its commits would undo later counts."""
    with SteppedReplica(database, "a", target(1)) as a, SteppedReplica(database, "b", target(1)) as b:
        a.beat()
        a.partition().commit({KEY: make_history(2)})
        let_lapse(database)
        b.beat()
        b.partition().commit({KEY: make_history(7)})
        run(database, f"UPDATE target SET owner = '{a.id}', epoch = 1, revision = 1")  # noqa: S608
        run(database, "DELETE FROM job; UPDATE source SET totals = '{}'")
        b.partition().commit({KEY: make_history(8)})
        assert b.owned == {key(1)}
        assert rows(database) == {key(1): (b.id, 3)}
        assert a.beat() == set()
        let_lapse(database)
        a.now = LEASE_SECONDS
        a.beat()
        assert a.partition().history(KEY) == make_history(8)


def test_an_assertion_whose_response_is_lost_keeps_the_counts(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database has the new epoch of the owner then, and still the rows from before the failover."""
    with SteppedReplica(database, "b", target(1)) as b:
        b.beat()
        b.partition().commit({KEY: make_history(7)})
        b.coordinator.hand_over(b.partition())
        b.beat()
        owned = b.partition()
        run(database, "UPDATE target SET epoch = 1, revision = 1")
        run(database, "DELETE FROM job; UPDATE source SET totals = '{}'")

        original, calls = b.session.run, iter(range(9))

        def run_without_second_response(work: Callable[[Transaction], object]) -> object:
            result = original(work)
            if next(calls) == 1:
                raise UnavailableError("timed out")
            return result

        monkeypatch.setattr(b.session, "run", run_without_second_response)
        with pytest.raises(UnavailableError):
            b.beat()
        monkeypatch.undo()
        b.beat()
        assert b.partition() is owned
        b.commit_all()
        assert rows(database)[key(1)][0] == b.id
    with SteppedReplica(database, "c", target(1)) as c:
        let_lapse(database, "a", "b")
        c.beat()
        assert c.partition().history(KEY) == make_history(7)


def test_others_leave_a_target_alone_whose_epoch_fell(database: str) -> None:
    """Its owner has the commits that the new primary lacks, and gets time to write them again."""
    with SteppedReplica(database, "a", target(1)) as a, SteppedReplica(database, "b", target(1)) as b:
        a.beat()
        run(database, "UPDATE target SET epoch = 5")
        b.beat()
        let_lapse(database)
        run(database, "UPDATE target SET owner = NULL, epoch = 4")
        assert b.beat() == set()
        b.now = OUTAGE_GRACE
        assert b.beat() == {key(1)}
        assert rows(database) == {key(1): (b.id, 6)}


def test_after_an_outage_lapsed_targets_of_others_are_left_alone(database: str) -> None:
    """All replicas were cut off for longer than a lease. The first to return must not acquire all targets."""
    with SteppedReplica(database, "a", target(1)) as a, SteppedReplica(database, "b", target(1)) as b:
        a.beat()
        b.beat()
        let_lapse(database)
        assert b.beat(after_outage=True) == set()
        assert a.beat(after_outage=True) == {key(1)}
        let_lapse(database)
        b.now = OUTAGE_GRACE
        assert b.beat() == {key(1)}


def test_the_epoch_orders_owners_even_if_a_session_holds_their_row(database: str) -> None:
    """A process that is paused within a commit holds the row of its target. Other targets are taken over meanwhile."""
    with SteppedReplica(database, "a", *BOTH) as a, SteppedReplica(database, "b", *BOTH) as b:
        a.beat()
        let_lapse(database)
        with psycopg.connect(database) as paused:
            paused.execute("UPDATE target SET revision = revision + 1 WHERE key = %s", [key(1)])
            assert b.beat() == {key(2)}
        assert b.beat() == {key(1), key(2)}


def test_a_load_that_takes_long_does_not_delay_the_next_beat(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A beat loads targets while it has time, and the next beat loads the others."""
    with SteppedReplica(database, "a", *map(target, range(1, 4))) as a:
        load = Partition.load

        def slow_load(partition: Partition, rows: StateRows) -> None:
            a.now += BEAT_INTERVAL + 0.1
            load(partition, rows)

        monkeypatch.setattr(Partition, "load", slow_load)
        assert a.coordinator.beat()
        assert (len(a.owned), a.coordinator.is_fresh()) == (1, True)
        assert a.beat() == {key(1), key(2), key(3)}


def test_a_replica_acquires_more_targets_only_when_it_exposes_most_of_the_others(database: str) -> None:
    """Another replica gets the targets that this one could not expose soon."""
    targets = [target(number) for number in range(2 * MAX_UNEXPOSED + 5)]
    with SteppedReplica(database, "a", *targets) as a, SteppedReplica(database, "b", *targets) as b:
        assert [len(a.beat()) for _ in range(2)] == [MAX_UNEXPOSED] * 2
        assert len(b.beat()) == MAX_UNEXPOSED
        for exposed, partition in enumerate(a.coordinator.partitions.values(), start=1):
            partition.mark_restored()
            assert a.coordinator.can_acquire_more() == (exposed >= MAX_UNEXPOSED // 2)
        a.now += FIRST_CHOICE_TIME
        a.beat()
        assert a.owned | b.owned == {key(number) for number in range(len(targets))}
        assert not a.coordinator.can_acquire_more()


UNKNOWN = ConfiguredTarget("production", "qbusiness", "us-east-1")


def test_a_target_without_a_known_account_is_renamed_once_aws_returns_it(database: str) -> None:
    """Its state moves with it, and the other replicas learn the account from the database."""
    with SteppedReplica(database, "a", UNKNOWN) as a, SteppedReplica(database, "b", UNKNOWN) as b:
        assert a.beat() == {"name/production"}
        partition = a.coordinator.partitions["name/production"]
        partition.commit({KEY: make_history(2)})
        partition.save_account("production", "000000000001", key(1))
        assert (a.owned, b.beat(), rows(database)) == ({key(1)}, set(), {key(1): (a.id, 1)})
        partition.commit({KEY: make_history(3)})
        let_lapse(database)
        assert b.beat() == {key(1)}
        assert b.partition().history(KEY) == make_history(3)
        assert b.partition().account("renamed") == "000000000001"


def test_a_renamed_target_continues_with_the_state_of_its_account(database: str) -> None:
    """The name is new to the database, and its account is not."""
    with SteppedReplica(database, "a", target(1)) as a:
        a.beat()
        a.partition().commit({KEY: make_history(4)})
        a.coordinator.leave()
    with SteppedReplica(database, "b", UNKNOWN) as b:
        b.beat()
        provisional = b.coordinator.partitions["name/production"]
        provisional.save_account("production", "000000000001", key(1))
        assert (b.owned, provisional.is_open) == (set(), False)
        assert b.beat() == {key(1)}
        assert b.partition().history(KEY) == make_history(4)
        assert set(rows(database)) == {key(1)}


def test_credentials_of_another_account_do_not_continue_the_state_of_the_first(database: str) -> None:
    """The configuration is the same, and its sources are others."""
    with SteppedReplica(database, "a", UNKNOWN) as a:
        a.beat()
        a.coordinator.partitions["name/production"].save_account("production", "000000000001", key(1))
        a.partition().commit({KEY: make_history(4)})
        a.partition().save_account("production", "000000000002", key(2))
        assert a.beat() == {key(2)}
        assert a.partition(2).history(KEY) is None
        assert rows(database)[key(1)] == (None, 2)


def test_unreadable_state_of_one_target_does_not_stop_the_others(database: str) -> None:
    """It is logged, the target does not start from an empty state, and a repair needs no restart."""
    with SteppedReplica(database, "a", *BOTH) as a:
        a.beat()
        a.partition(1).commit({KEY: make_history(1)})
        a.coordinator.leave()
    run(database, "CREATE TABLE backup AS TABLE source; UPDATE source SET totals = 'no JSON'")
    with SteppedReplica(database, "b", *BOTH) as b, capture_logs() as logs:
        assert b.beat() == b.beat() == {key(2)}
        assert [line["target"] for line in logs if line["log_level"] == "error"] == [key(1)]
        assert b.coordinator.unreadable.keys() == {key(1)}
        b.now += REREAD_INTERVAL
        assert b.beat() == {key(2)}
        run(database, "UPDATE source SET totals = backup.totals FROM backup")
        assert b.beat() == {key(2)}
        b.now += REREAD_INTERVAL
        assert b.beat() == {key(1), key(2)}
        assert (b.coordinator.unreadable, b.partition(1).history(KEY)) == ({}, make_history(1))
        assert len([line for line in logs if line["log_level"] == "error"]) == 1


def test_an_unreadable_target_that_the_operator_deletes_starts_over(database: str) -> None:
    """The replica that could not read it owns it again, with an empty state."""
    with SteppedReplica(database, "a", target(1)) as a:
        a.beat()
        a.partition(1).commit({KEY: make_history(1)})
        a.coordinator.leave()
    run(database, "UPDATE job SET state = '{'")
    with SteppedReplica(database, "b", target(1)) as b:
        assert b.beat() == set()
        run(database, "DELETE FROM target")
        assert b.beat() == set()
        assert b.coordinator.unreadable == {}
        b.now += OUTAGE_GRACE
        assert b.beat() == {key(1)}
        assert b.partition(1).history(KEY) is None
