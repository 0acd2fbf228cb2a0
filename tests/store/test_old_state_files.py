"""State files of an earlier commit: they open with all counts, and the bytes that are written have not changed.

The files in tests/data/state/ were written by commit 7df695d, with its own code:

- `folded.db`: the polls in `polls.json`, folded and committed one after the other.
- `exported.db`: two runs of `python -m exporter export` against the simulated service. A sync job of `hr` ended between
  the two.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exporter.domain.counting.counting_policy import CountingPolicy
from exporter.domain.counting.history import fold
from exporter.domain.counting.source_history import PollData
from exporter.domain.counting.tracked_job import CountState
from exporter.domain.model import DataSource, Description, DocumentCounts, Location, SyncJob
from exporter.domain.snapshots import SavedSource
from exporter.domain.units import DAY, HOUR
from tests.support.builders import NOON, POLICY, fold_polls, make_job, make_poll, source_id
from tests.support.state_files import open_store, run_sql

if TYPE_CHECKING:
    from exporter.domain.counting.source_history import SourceHistory

FILES = Path(__file__).parents[1] / "data" / "state"
TABLES = ("source", "job", "name", "target", "data_source")
LATER_TABLES = ("documents",)
SOURCE = DataSource("production", source_id("a" * 36, "i" * 36, "d" * 36), "intranet", None, (("team", "hr"),))
TAGS = (("cost-center", 'a "q"\n'),)
DESCRIPTION = Description("hr ü", "S3", "ACTIVE", 1.0, 2.5, "cron(0 3 * * ? *)", TAGS)
SAVED = SavedSource(SOURCE, "main", DESCRIPTION, is_described=True)
WATCHED_SINCE = 1_790_000_000.125
ACCOUNT, IDENTITY = "111122223333", "qbusiness/111122223333/us-east-1"
LOCATION = Location(ACCOUNT, "us-east-1")
ADDED = {"evicted_streak_without_content"}  # members of totals that the old commit did not write


def parse_job(raw: dict[str, Any]) -> SyncJob:
    """Build a job from `polls.json`."""
    return SyncJob(**{**raw, "documents": DocumentCounts(**raw["documents"])})


def rows_of(path: Path) -> dict[str, list[Any]]:
    """Return all rows of all tables, with the schema and the versions in the header."""
    with closing(sqlite3.connect(path)) as db:
        rows = {table: db.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}  # noqa: S608 (constants)
        rows["schema"] = db.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema").fetchall()
        rows["header"] = [db.execute(f"PRAGMA {name}").fetchone() for name in ("user_version", "application_id")]
    return rows


@pytest.fixture
def folded(path: str) -> str:
    """Return a copy of `folded.db`."""
    return shutil.copy(FILES / "folded.db", path)


def write_with_current_code(path: str) -> dict[str, SourceHistory]:
    """Fold and commit the polls in `polls.json`, and save what else the state has; return the histories."""
    data = json.loads((FILES / "polls.json").read_text())
    policy = CountingPolicy(data["window"], tuple(data["duration_buckets"]), POLICY.error_codes)
    store = open_store(path)
    histories: dict[str, SourceHistory] = {}
    for poll in data["polls"]:
        jobs, vanished = tuple(parse_job(raw) for raw in poll["jobs"]), frozenset(poll["vanished"])
        poll_data = PollData(jobs, poll["as_of"], poll["end"], vanished)
        histories[poll["source"]] = fold(histories.get(poll["source"]), poll_data, policy)
        store.commit({poll["source"]: histories[poll["source"]]})
    store.save_source(str(SOURCE.id), SAVED)
    store.save_name(f"application/{SOURCE.id.root}", "intranet ü")
    store.save_account("production", ACCOUNT, IDENTITY)
    store.save_watched_since(IDENTITY, WATCHED_SINCE)
    store.close()
    return histories


def test_the_same_polls_write_the_same_bytes(path: str) -> None:
    """Rows, schema and versions are equal, except for one key and for later additions."""
    write_with_current_code(path)
    old, new = rows_of(FILES / "folded.db"), rows_of(Path(path))
    old["target"] = [
        (key.replace("watched since/production", f"watched since/{IDENTITY}"), v) for key, v in old["target"]
    ]
    assert all(json.loads(totals).keys() >= ADDED for _, totals in new["source"])
    new["source"] = [(key, without(totals, ADDED)) for key, totals in new["source"]]
    new["schema"] = [row for row in new["schema"] if row[2] not in LATER_TABLES]
    (old_version, _), (version, _) = old["header"], new["header"]
    assert version > old_version
    new["header"][0] = old_version
    assert new == old


def without(totals: str, names: set[str]) -> str:
    """Return JSON without some members."""
    members = {name: value for name, value in json.loads(totals).items() if name not in names}
    return json.dumps(members, separators=(",", ":"))


def test_an_old_file_opens_with_equal_histories(folded: str, tmp_path: Path) -> None:
    """Jobs, totals, durations and evictions are those that the current code computes."""
    expected = write_with_current_code(str(tmp_path / "current.db"))
    store = open_store(folded)
    for key, history in expected.items():
        assert store.history(key) == history
    store.close()


def test_an_old_file_opens_with_all_counts(folded: str) -> None:
    """The counts are those that the old commit reported when it wrote the file."""
    store = open_store(folded)
    mixed, failing, quiet = (store.history(key) for key in ("mixed", "failing", "quiet"))
    store.close()
    assert mixed
    assert failing
    assert quiet
    assert mixed.completed == {"ABORTED": 1, "INCOMPLETE": 1, "SUCCEEDED": 1, "FAILED": 2}
    assert mixed.failures == {("InvalidRequest", "SPE-5002"): 1, ("other", ""): 1}
    assert mixed.documents == {"added": 60, "failed": 3, "scanned": 15, "modified": 1, "deleted": 0}
    assert {status: histogram.sum for status, histogram in mixed.durations.items()} == {
        "ABORTED": 7204.5,
        "INCOMPLETE": 4100.125,
        "FAILED": 132.5,
    }
    assert (mixed.last_succeeded, mixed.last_indexed) == (1_790_000_090.0, 1_790_000_500.125)
    assert (mixed.consecutive_failures(), len(mixed.jobs)) == (2, 8)
    assert (mixed.consecutive_without_content(), failing.consecutive_without_content()) == (2, 60)
    assert failing.completed == {"FAILED": 60}
    assert failing.documents == {"scanned": 1770}
    assert len(failing.failures) == 21
    assert failing.failures["InternalError", "other"] == 10
    assert (failing.consecutive_failures(), len(failing.jobs)) == (60, 25)
    assert (quiet.completed, quiet.jobs) == ({}, {})


@pytest.mark.parametrize(("added", "last_indexed"), [(0, NOON + 600), (1, NOON + HOUR + 600)])
def test_an_old_file_opens_with_the_time_at_which_content_reached_the_index(
    path: str, added: int, last_indexed: float
) -> None:
    """The old commit recorded the end of each INCOMPLETE job, even where all its documents failed."""
    jobs = [
        make_job("a", "SUCCEEDED", NOON, 600),
        make_job("b", "INCOMPLETE", NOON + HOUR, 600, added=added, failed=9, scanned=9 + added),
    ]
    store = open_store(path)
    store.commit({"hr": fold_polls(make_poll(*jobs, at=NOON + DAY))})
    store.close()
    old = f"json_set(json_remove(totals, '$.evicted_streak_without_content'), '$.last_indexed', {NOON + HOUR + 600})"
    run_sql(path, f"UPDATE source SET totals = {old}")  # noqa: S608 (constants)
    store = open_store(path)
    history = store.history("hr")
    store.close()
    assert history
    assert (history.last_indexed, history.consecutive_without_content()) == (last_indexed, 1 - added)


def test_an_old_file_has_every_state_of_a_job(folded: str) -> None:
    """The files would prove less if a state did not occur in them."""
    store = open_store(folded)
    histories = [store.history(key) for key in ("mixed", "failing")]
    store.close()
    jobs = [tracked for history in histories if history for tracked in history.jobs.values()]
    assert {tracked.count_state for tracked in jobs} == set(CountState)
    assert any(tracked.vanished_at for tracked in jobs)
    assert {tracked.counts_from_zero for tracked in jobs} == {True, False}


def test_an_old_file_opens_with_saved_sources_and_names(folded: str) -> None:
    """Text outside ASCII, labels and tags are unchanged."""
    store = open_store(folded)
    assert store.saved_sources("production", LOCATION) == [SAVED]
    assert store.name(f"application/{SOURCE.id.root}") == "intranet ü"
    assert store.account("production") == ACCOUNT
    store.close()


@pytest.mark.parametrize(
    ("target", "account", "watched_since"),
    [("production", ACCOUNT, WATCHED_SINCE), ("production", "444455556666", None), ("other", ACCOUNT, None)],
)
def test_the_first_watched_time_of_an_old_file_belongs_to_its_account(
    folded: str, target: str, account: str, watched_since: float | None
) -> None:
    """The old file has it under the name of the target, and the account of that name."""
    store = open_store(folded)
    identity = f"qbusiness/{account}/us-east-1"
    store.save_account(target, account, identity)
    assert store.watched_since(identity) == watched_since
    store.close()


def test_the_first_watched_time_of_an_old_file_without_an_account_is_kept(folded: str) -> None:
    """STS had never responded, so nothing contradicts the account that is known now."""
    run_sql(folded, "DELETE FROM target WHERE key = 'account/production'")
    store = open_store(folded)
    store.save_account("production", ACCOUNT, IDENTITY)
    assert store.watched_since(IDENTITY) == WATCHED_SINCE
    store.close()


def test_an_exported_file_opens_with_all_counts(path: str) -> None:
    """The counts are those on the page that the old commit exported when it wrote the file."""
    shutil.copy(FILES / "exported.db", path)
    store = open_store(path)
    sources = {saved.description.name: saved for saved in store.saved_sources("test", None)}
    hr, it = (store.history(str(sources[name].source.id)) for name in ("hr", "it"))
    assert hr
    assert it
    assert hr.completed == {"SUCCEEDED": 1}
    assert (hr.documents["added"], hr.documents["scanned"]) == (509, 526)
    assert (hr.consecutive_failures(), it.consecutive_failures()) == (0, 2)
    assert it.completed == {}
    assert sources["hr"].description.schedule == "cron(0 3 * * ? *)"
    assert store.account("test") == "111122223333"
    store.close()
