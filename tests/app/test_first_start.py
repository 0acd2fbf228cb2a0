"""The first start without credentials: the exporter reports it everywhere, and recovers immediately."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from exporter.aws import credential_cache
from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import config_for, eventually, fleet_of
from tests.support.running_exporter import RunningExporter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROLE = "arn:aws:iam::111122223333:role/reader"
TARGET_UP = "qbusiness_exporter_target_up"
PROFILES = f"""
[profile sso]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
sso_account_id = 111122223333
sso_role_name = reader
[profile missing]
credential_process = /nonexistent/helper
[profile hangs]
credential_process = sleep 600
[profile role]
role_arn = {ROLE}
source_profile = hangs
"""

# Each case has the variables of the environment, the settings of the target with its timeout, and a part of the reason.
CASES: dict[str, tuple[dict[str, str], dict[str, Any], str]] = {
    "none": ({}, {}, "no AWS credentials found"),
    "unknown profile": ({"AWS_PROFILE": "nope"}, {}, "the profile nope of AWS_PROFILE could not be found"),
    "expired SSO session": ({"AWS_PROFILE": "sso"}, {}, "aws sso login --profile sso"),
    "role denied": ({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, {"role_arn": ROLE}, "AccessDenied"),
    "web identity denied": (
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/token", "AWS_ROLE_ARN": ROLE},
        {},
        "AssumeRoleWithWebIdentity",
    ),
    "no web identity token": (
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/none", "AWS_ROLE_ARN": ROLE},
        {},
        "AWS_WEB_IDENTITY_TOKEN_FILE: {home}/none: No such file or directory",
    ),
    "unreadable web identity token": (
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "{home}", "AWS_ROLE_ARN": ROLE},
        {},
        "AWS_WEB_IDENTITY_TOKEN_FILE: {home}: Is a directory",
    ),
    "no pod identity token": (
        {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{home}/none",
        },
        {},
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: {home}/none: No such file or directory",
    ),
    "missing process": ({}, {"profile": "missing"}, "credential_process /nonexistent/helper: "),
    "process hangs": ({}, {"profile": "hangs", "timeout": "1s"}, "credential_process sleep: "),
    "process of a role hangs": ({}, {"profile": "role", "timeout": "1s"}, "credential_process sleep: "),
}


@pytest.fixture
def service() -> Iterator[SimulatedEndpoint]:
    """Yield a service with two data sources, whose roles may not be assumed."""
    with SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"), SimulatedDataSource("it"))) as running:
        running.sts.refuses = True
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home directory with profiles and a web identity token."""
    (tmp_path / "profiles").write_text(PROFILES)
    (tmp_path / "token").write_text("token")
    return tmp_path


def exporter_with(
    service: SimulatedEndpoint, home: Path, variables: dict[str, str], *, timeout: str = "30s", **settings: Any
) -> RunningExporter:
    """Return an exporter that discovers its data sources, with these variables and settings of its target."""
    config = config_for(service, ":memory:", interval="1h", timeout=timeout)
    target = {**config["targets"][0], "data_sources": [], "discovery": {"interval": "1h"}, **settings}
    files = {"HOME": home, "AWS_CONFIG_FILE": home / "profiles", "AWS_SHARED_CREDENTIALS_FILE": home / "credentials"}
    own = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", **{name: str(path) for name, path in files.items()}}
    return RunningExporter({**config, "targets": [target]}, **{**own, **variables})


@pytest.mark.parametrize("case", CASES)
def test_everything_reports_why_there_are_no_credentials(service: SimulatedEndpoint, home: Path, case: str) -> None:
    """The metrics, the readiness, the page, the JSON and one log line do; the exporter is healthy."""
    given, settings, reason = CASES[case]
    variables, reason = {name: text.format(home=home) for name, text in given.items()}, reason.format(home=home)
    with capture_logs() as logs, exporter_with(service, home, variables, **settings) as program:
        assert program.scrape().value(TARGET_UP) == 0
        eventually(lambda: reason in program.request("GET", "/-/ready")[1])
        assert reason in program.request("GET", "/")[1]
        assert reason in program.request("GET", "/api/v1/data-sources")[1]
        assert program.request("GET", "/-/healthy")[0] == 200
        scrape = program.scrape()
        assert scrape.value(TARGET_UP) == 0
        assert (scrape.value("qbusiness_exporter_credential_failures_total") or 0) >= 1
    warnings = [line for line in logs if line["log_level"] not in {"debug", "info"}]
    assert [(line["event"], line["reason"]) for line in warnings] == [("credentials failing", "credentials")]
    assert reason in warnings[0]["error"]


def test_discovery_is_retried_as_soon_as_credentials_work(
    service: SimulatedEndpoint, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait for its back-off, although there is no data source to poll yet."""
    monkeypatch.setattr(credential_cache, "FIRST_RETRY", 0.1)
    given, settings, reason = CASES["role denied"]
    with exporter_with(service, home, given, **settings) as program:
        eventually(lambda: reason in program.request("GET", "/-/ready")[1])
        service.sts.refuses = False
        eventually(lambda: program.scrape().value("qbusiness_poll_success") == 2)


def test_the_last_reason_is_shown(service: SimulatedEndpoint, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator has fixed one problem, and finds the next one."""
    monkeypatch.setattr(credential_cache, "FIRST_RETRY", 0.1)
    variables = {"AWS_WEB_IDENTITY_TOKEN_FILE": f"{home}/late", "AWS_ROLE_ARN": ROLE}
    with capture_logs() as logs, exporter_with(service, home, variables) as program:
        eventually(lambda: "No such file or directory" in program.request("GET", "/-/ready")[1])
        (home / "late").write_text("token")
        eventually(lambda: "AssumeRoleWithWebIdentity" in program.request("GET", "/-/ready")[1])
    assert len([line for line in logs if line["event"] == "credentials failing"]) == 1
