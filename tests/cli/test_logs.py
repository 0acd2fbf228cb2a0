"""Log events: their format from the first line to the last, without secrets and without tracebacks of libraries."""

from __future__ import annotations

import io
import json
import logging
import socket
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from botocore.exceptions import ProfileNotFound
from botocore.session import Session

from exporter.cli import logs, main
from tests.cli.test_serve import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

INVALID = {
    "invalid.yaml": "polling: {interval: 60}\nstat: {}\n",
    "valid.yaml": "targets: [{region: us-east-1}]\nstate: {path: ':memory:'}\n",
    "no-region.yaml": "targets: [{}]\nstate: {path: ':memory:'}\n",
    "no-state.yaml": "targets: [{region: us-east-1}]\nstate: {path: nowhere/state.db}\n",
}


@pytest.fixture
def stream() -> io.StringIO:
    """Return a stream to log to."""
    return io.StringIO()


def events(stream: io.StringIO) -> list[dict[str, Any]]:
    """Return the events of a log in JSON, without their times."""
    found = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert all(event.pop("ts") for event in found)
    return found


def fail_in_botocore() -> None:
    """Raise an exception in the SDK."""
    Session(profile="unknown").get_scoped_config()


def log_failure(report: Callable[..., None]) -> None:
    """Log an exception with frames of botocore, whose message has a password."""
    try:
        fail_in_botocore()
    except ProfileNotFound as error:
        error.args = ("no proxy at http://user:hunter2@proxy",)
        report("request failed", exc_info=True)


def test_an_exception_of_a_library_is_one_line_without_a_traceback(stream: io.StringIO) -> None:
    """The traceback of the AWS SDK is for the debug level. Its message contains no secrets at any level."""
    logs.configure(stream, log_format="json")
    log_failure(logging.getLogger("botocore.utils").warning)
    (event,) = events(stream)
    assert event == {
        "level": "warn",
        "msg": "request failed",
        "logger": "botocore.utils",
        "error": "ProfileNotFound: no proxy at http://<redacted>proxy",
    }


def test_at_debug_level_an_exception_of_a_library_has_its_traceback(stream: io.StringIO) -> None:
    """It is in the same line, without secrets."""
    logs.configure(stream, "debug", "json")
    log_failure(logging.getLogger("botocore.utils").warning)
    (event,) = events(stream)
    assert "botocore/session.py" in event["exception"]
    assert "hunter2" not in event["exception"]


def test_an_exception_of_this_program_has_the_frames_of_this_program(stream: io.StringIO) -> None:
    """An unexpected exception is a defect, and its place is needed to fix it. Frames of libraries are for debug."""
    logs.configure(stream, log_format="json")
    try:
        logs.configure(stream, "no such level")
    except KeyError:
        structlog.get_logger().exception("defect")
    log_failure(structlog.get_logger().error)
    own, foreign = events(stream)
    assert "exporter/cli/logs.py" in own["exception"]
    assert own["exception"].endswith("KeyError: 'no such level'")
    assert "botocore/session.py" not in foreign["exception"]
    assert foreign["exception"].endswith("no proxy at http://<redacted>proxy")


def test_every_value_of_an_event_is_redacted(stream: io.StringIO) -> None:
    """Also in collections, and in objects that have a text. Numbers stay numbers."""
    logs.configure(stream, log_format="json")
    text, redacted = "password=hunter2", "password=<redacted>"
    structlog.get_logger().info(text, text=text, several=[text, 1], error=ValueError(text), number=1.5, missing=None)
    expected = {"text": redacted, "several": [redacted, 1], "error": redacted, "number": 1.5, "missing": None}
    assert events(stream) == [{"msg": redacted, "level": "info", **expected}]


def test_warnings_and_uncaught_exceptions_are_events(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python would print them on stderr as plain text."""
    monkeypatch.setattr(threading, "excepthook", None)
    monkeypatch.setattr(sys, "unraisablehook", None)
    logs.configure(stream, log_format="json")
    logs.log_uncaught_exceptions()
    thread = threading.Thread(target=fail_in_botocore, name="worker")
    thread.start()
    thread.join()
    Failing().close()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old setting", stacklevel=1)
    messages = [event["msg"] for event in events(stream)]
    assert messages[:2] == ["thread failed with an unexpected exception", "exception ignored"]
    assert "old setting" in messages[2]


class Failing:
    """An object that raises an exception when it is deleted."""

    def close(self) -> None:
        """Do nothing."""

    def __del__(self) -> None:
        raise RuntimeError


class ReentrantStream(io.StringIO):
    """Logs an event during a write, as a destructor may do that the garbage collector calls."""

    def write(self, text: str) -> int:
        """Log, and write the text."""
        if "outer" in text:
            structlog.get_logger().info("inner")
        return super().write(text)


def test_an_event_that_is_logged_during_a_write_does_not_wait_for_it() -> None:
    """The same thread would wait for itself forever."""
    stream = ReentrantStream()
    logs.configure(stream, log_format="json")
    structlog.get_logger().info("outer")
    assert [event["msg"] for event in events(stream)] == ["inner", "outer"]


def test_a_record_that_cannot_be_formatted_prints_nothing(
    stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """The logging module would print a traceback on stderr. The next event is logged."""
    logs.configure(stream, log_format="json")
    logging.getLogger("urllib3").warning("%d connections", "many")
    logging.getLogger("urllib3").warning("pool is full")
    assert [event["msg"] for event in events(stream)] == ["pool is full"]
    assert capsys.readouterr().err == ""


def test_a_crash_is_an_event(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written before the process ends, in the format of the other events."""
    monkeypatch.setattr("exporter.cli.policy.read", lambda _: 1 / 0)
    assert main(["policy", "--log.format=json"]) == 1
    event = json.loads(capsys.readouterr().err)
    assert event["level"] == "error"
    assert event["exception"].endswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["serve", "--config.file=invalid.yaml"], "invalid.yaml:1:21: interval: 60 has no unit: write 60s for seconds"),
        (["check", "--config.file=invalid.yaml"], "invalid.yaml:2:1: stat: no such key; did you mean state?"),
        (["export", "--config.file=missing.yaml"], "missing.yaml:1:1: cannot be read: No such file or directory"),
        (["serve", "--web.config.file=web.yml"], "web.yml:1:1: cannot be read: No such file or directory"),
        (["serve", "--config.file=valid.yaml", "--web.listen-address=ADDRESS"], "cannot listen on 127.0.0.1:"),
        (["serve", "--config.file=no-region.yaml"], "the target has no region"),
        (["policy", "--config.file=no-region.yaml"], "the target has no region"),
        (["serve", "--config.file=no-state.yaml"], "state file FOLDER/nowhere/state.db"),
    ],
)
def test_every_error_at_start_is_an_event(tmp_path: Path, arguments: list[str], expected: str) -> None:
    """With --log.format=json, each line on stderr is one JSON object with level and message."""
    for name, text in INVALID.items():
        (tmp_path / name).write_text(text)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        words = [word.replace("ADDRESS", address) for word in arguments]
        done = run(*words, "--log.format=json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    found = [json.loads(line) for line in done.stderr.splitlines()]
    assert all(event["ts"] and event["level"] and event["msg"] for event in found)
    errors = [event.get("problem", event.get("error")) for event in found if event["level"] == "error"]
    assert any(error.startswith(expected.replace("FOLDER", str(tmp_path))) for error in errors), errors
