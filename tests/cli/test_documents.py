"""`documents` as a process: its formats, and the errors of its argument."""

from __future__ import annotations

import csv
import json
import os
import pty
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import pytest

from exporter.simulator.apis import api_of
from exporter.simulator.document import SimulatedDocument
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex
from exporter.simulator.server import SimulatedEndpoint
from tests.support.oneshot import environment, named, run, settings

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = 'a\x1b[31m\n,"b" \u202e'


@pytest.fixture
def source(service: SimulatedEndpoint) -> SimulatedDataSource:
    """Return a data source with 150 documents, two of them failed."""
    source = service.fleet.applications[0].indexes[0].data_sources[3]
    source.documents = [
        *(SimulatedDocument(f"d{n:03}") for n in range(148)),
        SimulatedDocument(HOSTILE, "FAILED", "InvalidRequest", "too\nlarge"),
        SimulatedDocument("e", "DOCUMENT_FAILED_TO_INDEX"),
    ]
    return source


def documents(service: SimulatedEndpoint, tmp_path: Path, source: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run the command with discovery, and with a rate limit that it does not wait for."""
    return run(service, tmp_path, "documents", "--data-source", source, *flags, text=settings(service, {}))


def test_the_table_has_failed_documents_first_and_the_counts(
    service: SimulatedEndpoint, source: SimulatedDataSource, tmp_path: Path
) -> None:
    """Each document is on one line, even if its id contains line feeds. Nothing is printed on stderr."""
    done = documents(service, tmp_path, source.id)
    assert (done.returncode, done.stderr) == (0, "")
    head, first, second, third, *_, last = done.stdout.splitlines()
    assert head.split() == ["STATUS", "UPDATED", "DOCUMENT", "ERROR"]
    assert first.split() == ["DOCUMENT_FAILED_TO_INDEX", "2023-11-14T22:13:20Z", "e"]
    assert 'a\\x1b[31m\\n,"b" \\u202e' in second
    assert second.endswith("InvalidRequest too\\nlarge")
    assert third.split()[2] == "d000"
    assert last == "150 documents: DOCUMENT_FAILED_TO_INDEX 1, FAILED 1, INDEXED 148"


def test_json_and_csv_have_all_documents_unchanged(
    service: SimulatedEndpoint, source: SimulatedDataSource, tmp_path: Path
) -> None:
    """Both formats are for programs."""
    done = documents(service, tmp_path, source.id, "--format", "json")
    found = json.loads(done.stdout)
    assert len(found) == 150
    assert found[1]["document_id"] == HOSTILE
    assert found[1]["error_message"] == "too\nlarge"
    done = documents(service, tmp_path, source.id, "--format", "csv", "--status", "FAILED")
    (row,) = csv.DictReader(done.stdout.splitlines(keepends=True))
    assert (row["document_id"], row["status"], row["error_code"]) == (HOSTILE, "FAILED", "InvalidRequest")


def test_a_source_without_documents_of_the_status_is_no_error(
    service: SimulatedEndpoint, source: SimulatedDataSource, tmp_path: Path
) -> None:
    """The table has a line for it, and JSON is an empty list."""
    status = ("--status", "DELETING")
    assert documents(service, tmp_path, source.id, *status).stdout == "no documents\n"
    assert documents(service, tmp_path, source.id, *status, "--format", "json").stdout == "[]\n"


def test_a_named_source_needs_no_discovery(
    service: SimulatedEndpoint, source: SimulatedDataSource, tmp_path: Path
) -> None:
    """The configuration has the ids of its application and its index."""
    text = settings(service, named(service, source.name))
    done = run(service, tmp_path, "documents", "--data-source", source.id, text=text)
    assert done.returncode == 0
    assert {logged.call.operation for logged in service.requests} == {"ListDocuments"}


@pytest.mark.parametrize("discovers", [True, False])
def test_an_unknown_id_is_an_error_that_says_where_it_was_looked_for(
    service: SimulatedEndpoint, source: SimulatedDataSource, tmp_path: Path, *, discovers: bool
) -> None:
    """Without discovery, the message says what to change in the configuration."""
    text = settings(service, {} if discovers else named(service, source.name))
    done = run(service, tmp_path, "documents", "--data-source", "unknown", text=text)
    assert (done.returncode, done.stdout) == (1, "")
    assert ("not found among the 14" if discovers else "no target has discovery enabled") in done.stderr


def test_listings_that_failed_are_named_when_the_id_is_not_found(
    service: SimulatedEndpoint, source: SimulatedDataSource, tmp_path: Path
) -> None:
    """The data source may be in one of them."""
    service.faults.add("denied", application_id=service.fleet.applications[0].id)
    done = documents(service, tmp_path, source.id)
    assert done.returncode == 1
    assert "1 listings failed, such as that of application intranet" in done.stderr


def test_an_ambiguous_id_is_an_error_with_the_ids_to_choose_from(
    service: SimulatedEndpoint, source: SimulatedDataSource, tmp_path: Path
) -> None:
    """The longer form is accepted."""
    index = service.fleet.applications[0].indexes[1]
    index.data_sources[0].id = source.id
    done = documents(service, tmp_path, source.id)
    full = f"{service.fleet.applications[0].id}/{index.id}/{source.id}"
    assert done.returncode == 1
    assert "is ambiguous" in done.stderr
    assert full in done.stderr
    assert documents(service, tmp_path, full).stdout == "no documents\n"


def test_nothing_is_printed_if_a_page_cannot_be_listed(
    service: SimulatedEndpoint, source: SimulatedDataSource, tmp_path: Path
) -> None:
    """Otherwise, a part of the documents would look like all of them."""
    service.faults.add("denied", operation="ListDocuments", page=2)
    done = documents(service, tmp_path, source.id)
    assert (done.returncode, done.stdout) == (1, "")
    assert "ListDocuments: AccessDeniedException" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("documents",), "the following arguments are required: --data-source"),
        (("documents", "--data-source", "a", "--status", "LOST"), "invalid choice: 'LOST'"),
        (("plan", "--data-source", "a"), "--data-source is a flag of documents, not of plan"),
    ],
)
def test_wrong_usage_exits_with_2(
    service: SimulatedEndpoint, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    """As for every command."""
    done = run(service, tmp_path, *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_the_progress_is_shown_on_a_terminal(
    service: SimulatedEndpoint, source: SimulatedDataSource, tmp_path: Path
) -> None:
    """It is on stderr, and stdout has only the documents."""
    (tmp_path / "config.yaml").write_text(settings(service, {}))
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, 80))
    command = [sys.executable, "-m", "exporter", "documents", "--data-source", source.id, "--format", "json"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(service), stdout=subprocess.PIPE, stderr=follower, check=False
    )
    os.close(follower)
    progress = os.read(leader, 100_000)
    os.close(leader)
    assert len(json.loads(done.stdout)) == 150
    assert b"listing: " in progress


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("kendra", (), "Amazon Kendra does not list the documents of a data source"),
        ("qbusiness", ("--status=NOT_FOUND",), "--status=NOT_FOUND is not a document status of Amazon Q Business"),
        ("bedrock", ("--status=RECEIVED",), "not a document status of Amazon Bedrock knowledge bases: use INDEXED, "),
    ],
)
def test_what_the_service_of_the_source_does_not_have_is_an_error(
    name: str, arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    """Without the error, a status of another service would look like one that no document has."""
    fleet = Fleet(
        [SimulatedApplication("intranet", [SimulatedIndex("main", [SimulatedDataSource("hr", id="A" * 10)])])]
    )
    with SimulatedEndpoint(fleet, make_api=api_of(name)) as endpoint:
        text = settings(endpoint, {"service": name})
        done = run(endpoint, tmp_path, "documents", "--data-source", "A" * 10, *arguments, text=text)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_the_output_is_utf_8_in_any_locale(service: SimulatedEndpoint, tmp_path: Path, unbuffered: str) -> None:
    """A locale of an old host has few characters, and JSON and YAML are UTF-8 anyway."""
    source = service.fleet.applications[0].indexes[0].data_sources[3]
    source.documents = [SimulatedDocument("報告.pdf")]
    (tmp_path / "config.yaml").write_text(settings(service, {}))
    command = [sys.executable, "-m", "exporter", "documents", "--data-source", source.id]
    variables = {**environment(service), "PYTHONIOENCODING": "ascii", "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "報告.pdf\n" in done.stdout.decode("utf-8")
