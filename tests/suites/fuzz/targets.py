"""The fuzz targets. Each accepts any bytes, and raises only errors that are findings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from exporter.config import load_web
from exporter.config import parse as parse_config
from exporter.domain.schedules.schedule import ScheduleError, parse_schedule
from exporter.errors import ConfigError
from exporter.store import codec, source_codec
from tests.suites.fuzz.aws_responses import ResponseBodies, ResponseMembers
from tests.suites.fuzz.checks import require
from tests.suites.fuzz.web_requests import WebRequests

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NOW = 1_790_000_000.0


class FuzzTarget(Protocol):
    """A parser of external input."""

    @property
    def seeds(self) -> Sequence[bytes]:
        """Return the inputs that the fuzzer starts with."""

    def __call__(self, data: bytes) -> None:
        """Parse an input; raise an exception for a finding."""


class ConfigurationText:
    """The configuration: it is loaded, or every problem has a position and a message."""

    def __init__(self) -> None:
        data = Path(__file__).parents[2] / "data"
        invalid = (data / "bad_configs.txt").read_bytes().split(b"\n\n")
        self.seeds = [(data / "config" / "good.yaml").read_bytes(), *invalid]

    def __call__(self, data: bytes) -> None:
        """Parse the bytes as the text of the file."""
        try:
            parse_config(data.decode("utf-8", "surrogateescape"), "config.yaml")
        except ConfigError as error:
            require(error.problems)
            require(all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in error.problems))


class WebConfigText:
    """The web config and the certificates that it names."""

    seeds = (
        b"tls_server_config: {cert_file: a.pem, key_file: b.pem, client_auth_type: RequireAnyClientCert}",
        b"basic_auth_users: {admin: $2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG}",
        b"http_server_config: {http2: true, headers: {X-Frame-Options: deny}}\ntls_server_config: {min_version: TLS12}",
    )

    def __call__(self, data: bytes) -> None:
        """Load the bytes as the web config and as each certificate."""
        try:
            load_web(Path("web.yaml"), lambda _path: data)
        except ConfigError as error:
            require(error.problems)


class ScheduleExpressions:
    """Sync schedules: one is rejected, or its firings are consistent."""

    seeds = (
        b"cron(0 0 ? * * *)",
        b"(15 10 ? * 6L 2023-2025)",
        b"0 12 * * ? *",
        b"cron(35 10 ? * TUE,FRI *)",
        b"CRON(0/5 8-17 ? * MON#2 *)",
        b"0 0 L-3 2/3 ? 2026-2030",
        b"0 0 15W * ? *",
    )

    def __call__(self, data: bytes) -> None:
        """Parse a schedule and compare its firings with its longest gap."""
        try:
            schedule = parse_schedule(data.decode("utf-8", "replace"))
        except ScheduleError as error:
            require(str(error))
            return
        if schedule is None:
            return
        following, previous, gap = schedule.next(NOW), schedule.previous(NOW), schedule.longest_gap()
        assert following is None or following > NOW
        assert previous is None or previous <= NOW
        if following is not None and previous is not None:
            assert gap is not None
            assert following - previous <= gap


class SavedState:
    """The content of a state file: it is loaded or reported as unreadable."""

    seeds = (
        (
            b'{"watched_since":1,"as_of":2,"last_succeeded":null,"last_indexed":null,"horizon":null,"forgotten_streak":0,'
            b'"completed":{"FAILED":1},"documents":{},"failures":[["none","",1]],"durations":{"FAILED":{"bounds":[60],'
            b'"counts":[1,0],"sum":5,"exemplars":[null,null]}}}'
        ),
        (
            b'{"job":{"execution_id":"e","status":"FAILED","started":1,"ended":2,"documents":{"added":1}},"highest":{},'
            b'"whole":true,"accounted":"counted","gone_since":null}'
        ),
    )

    def __call__(self, data: bytes) -> None:
        """Load the bytes as totals, as a job and as a saved source."""
        text = data.decode("utf-8", "replace")
        for load in (lambda text: codec.load_history(text, {}), codec.load_job, source_codec.load_saved_source):
            try:
                load(text)
            except codec.UNREADABLE:
                continue


TARGETS: dict[str, Callable[[], FuzzTarget]] = {
    "response-bodies": ResponseBodies,
    "response-members": ResponseMembers,
    "configuration": ConfigurationText,
    "web-config": WebConfigText,
    "schedules": ScheduleExpressions,
    "state": SavedState,
    "web-requests": WebRequests,
}
