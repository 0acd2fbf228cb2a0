"""The behaviour of every store: SQLite and PostgreSQL pass the same tests."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from exporter.domain.clock_check import ClockReading
from exporter.domain.counting.unparsed_range import UnparsedRange
from exporter.domain.counting.unread_range import UnreadRange
from exporter.domain.documents import Document, DocumentTally
from exporter.domain.model import Description, Location
from exporter.domain.snapshots import SavedSource
from exporter.domain.units import HOUR
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.store.postgresql import rows
from exporter.store.table_store import UNWATCHED_RETENTION
from tests.support.builders import NOON, make_source
from tests.support.harness import eventually
from tests.support.state_files import KEY, make_history

if TYPE_CHECKING:
    from tests.support.stores import Backend


def test_committed_state_is_the_same_after_a_restart(backend: Backend) -> None:
    """Histories and resolved names are equal to those that were saved."""
    with backend.opened() as store:
        store.commit({KEY: make_history()})
        store.save_name("application/a", "intranet")
    with backend.opened() as store:
        assert store.history(KEY) == make_history()
        assert store.name("application/a") == "intranet"


def test_what_is_left_to_catch_ups_is_the_same_after_a_restart(backend: Backend) -> None:
    """A catch-up continues, and ranges with entries that could not be parsed are read again."""
    unparsed = UnparsedRange(NOON - 5 * HOUR, NOON + HOUR, since=NOON)
    first = replace(make_history(), unread=UnreadRange.between(NOON - 20 * HOUR, NOON - 10 * HOUR), unparsed=unparsed)
    again = replace(make_history(), unread=unparsed.to_unread(NOON))
    with backend.opened() as store:
        store.commit({KEY: first, "another": again})
    with backend.opened() as store:
        assert (store.history(KEY), store.history("another")) == (first, again)


@pytest.mark.parametrize("counts", [[3, 0, 7], [20, 4], [0]], ids=str)
def test_the_last_of_several_commits_is_saved(backend: Backend, counts: list[int]) -> None:
    """Jobs that a later commit no longer has are not saved any more."""
    with backend.opened() as store:
        for count in counts:
            store.commit({KEY: make_history(count)})
    with backend.opened() as store:
        assert store.history(KEY) == make_history(counts[-1])


def test_an_outage_loses_nothing(backend: Backend) -> None:
    """Failed writes are counted, the failure is logged once, and a later write saves everything."""
    with capture_logs() as logs, backend.opened() as store:
        store.commit({KEY: make_history(1)})
        with backend.outage():
            store.commit({KEY: make_history(2)})
            store.commit({KEY: make_history(40)})
            assert (backend.failures >= 2, store.has_unwritten()) == (True, True)
            assert store.history(KEY) == make_history(40)
        store.commit({"another": make_history(1)})
        eventually(lambda: not store.has_unwritten())
    assert len([line for line in logs if line["log_level"] == "error"]) == 1
    with backend.opened() as store:
        assert (store.history(KEY), store.history("another")) == (make_history(40), make_history(1))


def test_commits_of_many_threads_are_all_saved(backend: Backend) -> None:
    """Each thread has its own sources, as the poll workers of a target have."""
    with backend.opened() as store:
        threads = [threading.Thread(target=store.commit, args=({f"s{n}": make_history(n)},)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not store.has_unwritten()
    with backend.opened() as store:
        assert [store.history(f"s{n}") for n in range(16)] == [make_history(n) for n in range(16)]


def test_saved_sources_belong_to_a_location_and_not_to_a_name(backend: Backend) -> None:
    """Only where one of the locations is unknown, the name of the target decides."""
    here, elsewhere = Location("111122223333", "us-east-1"), Location("444455556666", "us-east-1")
    description = Description("hr", "S3", "ACTIVE")
    known = SavedSource(make_source(name="hr"), "main", description, here, ClockReading(NOON, 0.25))
    unknown = replace(known, location=None)
    with backend.opened() as store:
        store.save_source("known", known)
        store.save_source("unknown", unknown)
    with backend.opened() as store:
        assert store.saved_sources("production", here) == [known, unknown]
        assert store.saved_sources("production", elsewhere) == [unknown]
        assert store.saved_sources("production", None) == [known, unknown]
        assert store.saved_sources("renamed", here) == [known]
        assert store.saved_sources("renamed", None) == []


def test_poll_times_are_saved_without_other_changes(backend: Backend) -> None:
    """Only the time advances; a source that was never polled, and an earlier time, change nothing."""
    history = make_history()
    with backend.opened() as store:
        store.commit({KEY: history, "later": replace(history, as_of=NOON + HOUR)})
        store.save_poll_times({KEY: NOON + 60, "later": NOON + 60, "unknown": NOON + 60})
    with backend.opened() as store:
        assert store.history(KEY) == replace(history, as_of=NOON + 60)
        assert store.history("later") == replace(history, as_of=NOON + HOUR)
        assert store.history("unknown") is None


def test_saving_poll_times_never_undoes_a_commit(backend: Backend) -> None:
    """A poll may end while a stop saves the times of polls: its counts stay, in any order."""
    with backend.opened() as store:
        store.commit({KEY: make_history(0)})
        stopped = threading.Event()

        def save_times() -> None:
            for seconds in itertools.count(1):
                store.save_poll_times({KEY: NOON + seconds})
                if stopped.is_set():
                    return

        stop = threading.Thread(target=save_times)
        stop.start()
        for count in range(1, 30):
            store.commit({KEY: make_history(count)})
            history = store.history(KEY)
            assert history
            assert history.completed == {"FAILED": count}
        stopped.set()
        stop.join()
    with backend.opened() as store:
        history = store.history(KEY)
        assert history
        assert history.completed == {"FAILED": 29}


def test_the_time_of_an_attempt_lives_as_long_as_its_source(backend: Backend) -> None:
    """It survives a restart, and does not pile up for removed sources."""
    with backend.opened() as store:
        for second, key in enumerate(("watched", "removed", "unwatched")):
            store.save_attempt(key, NOON + second)
        store.remove_source("removed")
    with backend.opened() as store:
        assert [store.attempted_at(key) for key in ("watched", "removed", "unwatched")] == [NOON, None, NOON + 2]
        store.remove_unwatched({"watched"}, NOON)
        assert [store.attempted_at(key) for key in ("watched", "removed", "unwatched")] == [NOON, None, None]


def test_each_attempt_is_later_than_those_before_it(backend: Backend) -> None:
    """The host's clock is set back by hours between two lives of a crash loop, and the order stays known."""
    with backend.opened() as store:
        store.save_attempt("first", NOON)
    with backend.opened() as store:
        store.save_attempt("second", NOON - 5 * HOUR)
        store.save_attempt("third", NOON - 5 * HOUR)
    with backend.opened() as store:
        times = [store.attempted_at(key) or 0.0 for key in ("first", "second", "third")]
        assert times == sorted(times)
        assert len(set(times)) == 3


def test_an_unwatched_source_is_removed_after_a_month(backend: Backend) -> None:
    """A configuration that lacks a source for a day does not lose its counters."""
    with backend.opened() as store:
        store.commit({KEY: make_history()})
        store.remove_unwatched(set(), NOON + HOUR)
        assert store.history(KEY) is not None
        store.remove_unwatched({KEY}, NOON + 2 * UNWATCHED_RETENTION)
        assert store.history(KEY) is not None
        store.remove_unwatched(set(), NOON + 2 * UNWATCHED_RETENTION)
        assert store.history(KEY) is None
    with backend.opened() as store:
        assert store.history(KEY) is None


def test_saved_sources_survive_a_restart_until_they_are_deleted(backend: Backend) -> None:
    """So do the account of a target, and the time at which it was first watched."""
    description = Description("hr", "S3", "ACTIVE", created=NOON, updated=None, schedule="", tags=(("team", "hr"),))
    saved = SavedSource(make_source(application="intranet", name="hr"), "main", description, is_described=True)
    with backend.opened() as store:
        store.save_source("a", saved)
        store.save_source("b", replace(saved, container="other"))
        store.save_watched_since("identity", NOON + 0.125)
        store.save_account("production", "000000000001", "qbusiness/000000000001/us-east-1")
        store.remove_source("b")
    with backend.opened() as store:
        assert store.saved_sources("production", None) == [saved]
        assert store.saved_sources("staging", None) == []
        assert (store.watched_since("identity"), store.watched_since("another")) == (NOON + 0.125, None)
        assert store.account("production") == "000000000001"
        store.remove_unwatched(set(), NOON)
        assert store.saved_sources("production", None) == []


def test_counts_of_documents_survive_a_restart_until_their_source_is_removed(backend: Backend) -> None:
    """Undocumented statuses and foreign texts are kept as they are."""
    tally = DocumentTally(QBUSINESS.document_statuses)
    tally.add([Document("s3://ü/\x1b", "FAILED", "InvalidRequest", 'a "q"\n', None, NOON), Document("b", "NEW")])
    count = tally.result(NOON)
    with backend.opened() as store:
        store.save_documents(KEY, count)
        store.save_documents("other", count)
    with backend.opened() as store:
        assert store.documents(KEY) == count
        store.remove_source(KEY)
        assert store.documents(KEY) is None
        store.remove_unwatched({KEY}, NOON)
        assert store.documents("other") is None


def test_a_state_of_any_size_is_read(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database is read and written in parts, each of which ends within the timeout of a statement."""
    monkeypatch.setattr(rows, "CHUNK", 3)
    with backend.opened() as store:
        store.commit({f"s{n}": make_history(n) for n in range(8)})
        for number in range(7):
            store.save_name(f"application/{number}", str(number))
    with backend.opened() as store:
        assert [store.history(f"s{n}") for n in range(8)] == [make_history(n) for n in range(8)]
        assert [store.name(f"application/{n}") for n in range(7)] == [str(n) for n in range(7)]
        store.commit({f"s{n}": make_history(0) for n in range(8)})
    with backend.opened() as store:
        assert [store.history(f"s{n}") for n in range(8)] == [make_history(0)] * 8


@pytest.mark.parametrize("text", ["intranet \x00 \\u0000", 'ü "quoted" \\', "日本 \u2028\x1b", "a%sb%%"], ids=ascii)
def test_any_text_is_saved_as_it_is(backend: Backend, text: str) -> None:
    """AWS allows any text in names, and one that a database rejects must not fail the commits of others."""
    with backend.opened() as store:
        store.save_name(f"application/{text}", text)
        store.commit({text: make_history()})
    with backend.opened() as store:
        assert (store.name(f"application/{text}"), store.history(text)) == (text, make_history())
