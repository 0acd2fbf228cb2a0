"""Credentials that are not available, hang, rotate and return, as seen from outside the program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import Program, config_for, eventually, fleet_of, serve
from tests.support.oneshot import environment, settings
from tests.support.program_process import run_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROLE = "arn:aws:iam::111122223333:role/reader"
FAILURES = "qbusiness_exporter_credential_failures_total"


@pytest.fixture
def service() -> Iterator[SimulatedEndpoint]:
    """Yield a service with 24 data sources."""
    with SimulatedEndpoint(fleet_of(*(SimulatedDataSource(f"hr-{number}") for number in range(24)))) as running:
        yield running


def with_target(config: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """Return a configuration with more settings of its target."""
    return {**config, "targets": [{**config["targets"][0], **settings}]}


def succeeding(program: Program) -> float | None:
    """Return the number of data sources that were polled successfully."""
    return program.scrape().value("qbusiness_poll_success")


@pytest.mark.trial
def test_all_data_sources_know_when_sts_hangs(tmp_path: Path, service: SimulatedEndpoint) -> None:
    """They report it within one deadline after the expiry, although the data sources are polled every ten minutes.

    The process stays healthy, and all data sources recover when the credentials do.
    """
    service.sts.lifetime = 3.0
    pace = {"interval": "10m", "idle_interval": "10m", "timeout": "2s"}
    config = with_target(config_for(service, ":memory:", **pace), role_arn=ROLE)
    with serve(tmp_path, config) as program:
        eventually(lambda: succeeding(program) == 24)
        service.faults.add("hang", operation="AssumeRole")
        eventually(lambda: succeeding(program) == 0)
        scrape = program.scrape()
        assert scrape.value("qbusiness_exporter_target_up") == 0
        assert (scrape.value(FAILURES) or 0) >= 1
        assert program.get("/-/healthy")[0] == 200
        assert f"AssumeRole of {ROLE}" in program.get("/api/v1/data-sources")[1]
        assert f"AssumeRole of {ROLE}" in program.get("/")[1]
        service.sts.lifetime = 3600.0
        service.faults.clear()
        eventually(lambda: succeeding(program) == 24)
        assert program.scrape().value("qbusiness_exporter_target_up") == 1
        assert len(program.until_logged('msg="credentials work again"')) == 1
        assert len(program.log_lines('msg="credentials failing"')) == 1
        assert len(program.log_lines("level=warn")) == 1


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"AWS_PROFILE": "nope"}, "the profile nope of AWS_PROFILE could not be found"),
        ({"AWS_SESSION_TOKEN": "planted\n"}, "AWS_SESSION_TOKEN contains a line break"),
    ],
)
def test_the_first_start_without_credentials_says_why(
    tmp_path: Path, service: SimulatedEndpoint, variables: dict[str, str], expected: str
) -> None:
    """The metrics, the page, the JSON, the readiness and one log line report it, without the token."""
    config = with_target(config_for(service, ":memory:"), data_sources=[], discovery={"interval": "1m"})
    with serve(tmp_path, config, **variables) as program:
        eventually(lambda: expected in program.get("/-/ready")[1])
        program.until_logged(expected)
        scrape = program.scrape()
        assert scrape.value("qbusiness_exporter_target_up") == 0
        assert scrape.value("qbusiness_exporter_poll_failures_total", reason="internal") == 0
        texts = [program.get("/")[1], program.get("/api/v1/data-sources")[1], *program.log]
        assert sum(expected in text for text in texts) == 3
        assert "planted" not in "".join(texts)
        assert "Traceback" not in "".join(texts)
        assert program.get("/-/healthy")[0] == 200


@pytest.mark.trial
def test_a_refusal_of_the_role_does_not_decide_names(tmp_path: Path, service: SimulatedEndpoint) -> None:
    """Data sources without a name are published when their names are available."""
    service.faults.add("denied", operation="AssumeRole")
    config = with_target(config_for(service, tmp_path / "state.db"), role_arn=ROLE)
    with serve(tmp_path, config) as program:
        eventually(lambda: (program.scrape().value("qbusiness_exporter_poll_failures_total") or 0) >= 24)
        assert succeeding(program) is None
        service.faults.clear()
        eventually(lambda: succeeding(program) == 24)
        assert program.scrape().value("qbusiness_poll_success", application="intranet", data_source="hr-0") == 1


@pytest.mark.trial
def test_rotated_keys_are_found_without_a_restart(tmp_path: Path, service: SimulatedEndpoint) -> None:
    """The old key is refused, and the file has a new one."""
    keys = tmp_path / "credentials"
    keys.write_text("[reader]\naws_access_key_id = old\naws_secret_access_key = x\n")
    config = with_target(config_for(service, ":memory:"), profile="reader")
    with serve(tmp_path, config, AWS_SHARED_CREDENTIALS_FILE=str(keys)) as program:
        eventually(lambda: succeeding(program) == 24)
        keys.write_text("[reader]\naws_access_key_id = new\naws_secret_access_key = x\n")
        service.sts.revoked.add("old")
        eventually(lambda: any(request.access_key == "new" for request in list(service.requests)))
        eventually(lambda: succeeding(program) == 24)
        program.until_logged('msg="credentials work again"')
        assert len(program.log_lines('msg="credentials failing"')) == 1


@pytest.mark.trial
def test_new_keys_are_used_before_the_next_polls(tmp_path: Path, service: SimulatedEndpoint) -> None:
    """All polls have failed with the old key, and the next ones would be minutes later."""
    keys = tmp_path / "credentials"
    keys.write_text("[reader]\naws_access_key_id = old\naws_secret_access_key = x\n")
    service.sts.revoked.add("old")
    config = with_target(config_for(service, ":memory:", interval="10m", idle_interval="10m"), profile="reader")
    with serve(tmp_path, config, AWS_SHARED_CREDENTIALS_FILE=str(keys)) as program:
        eventually(lambda: (program.scrape().value("qbusiness_exporter_poll_failures_total") or 0) >= 24)
        keys.write_text("[reader]\naws_access_key_id = new\naws_secret_access_key = x\n")
        eventually(lambda: succeeding(program) == 24)
        assert program.scrape().value("qbusiness_exporter_target_up") == 1


@pytest.mark.parametrize("command", [["policy"], ["check", "--probe"], ["discover"], ["plan"], ["export"]])
def test_every_command_reports_an_unknown_profile_in_one_sentence(
    tmp_path: Path, service: SimulatedEndpoint, command: list[str]
) -> None:
    """No command ends with a traceback."""
    (tmp_path / "config.yaml").write_text(settings(service, {}))
    done = run_command(*command, folder=tmp_path, environment={**environment(service), "AWS_PROFILE": "nope"})
    assert done.returncode == 1
    assert "the profile nope of AWS_PROFILE could not be found" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [["check", "--probe"], ["discover"]])
@pytest.mark.parametrize("token_file", ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"])
def test_commands_name_a_token_file_that_does_not_exist(
    tmp_path: Path, service: SimulatedEndpoint, token_file: str, command: list[str]
) -> None:
    """Botocore raises FileNotFoundError for it, and the command ends with the variable and the path."""
    (tmp_path / "config.yaml").write_text(settings(service, {}))
    variables = {**environment(service), token_file: "/nonexistent/token", "AWS_ROLE_ARN": ROLE}
    variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://127.0.0.1:9/"
    del variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"]
    done = run_command(*command, folder=tmp_path, environment=variables)
    assert done.returncode == 1
    assert f"{token_file}: /nonexistent/token: No such file or directory" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command", [["policy"], ["check", "--probe"], ["discover"], ["plan"], ["export"], ["backfill", "--since", "1d"]]
)
def test_no_command_waits_for_a_credential_process_that_hangs(
    tmp_path: Path, service: SimulatedEndpoint, command: list[str]
) -> None:
    """The command ends after the deadline with the reason. Only `policy` has an output without credentials."""
    (tmp_path / "config.yaml").write_text(settings(service, {}, timeout="1s"))
    (tmp_path / "profiles").write_text("[default]\ncredential_process = sleep 600\n")
    variables = {**environment(service), "AWS_CONFIG_FILE": str(tmp_path / "profiles")}
    del variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"]
    done = run_command(*command, folder=tmp_path, environment=variables)
    assert done.returncode == (0 if command == ["policy"] else 1)
    assert "credential_process sleep: " in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("AWS_SESSION_TOKEN", "planted\n", "AWS_SESSION_TOKEN contains a line break"),
        ("HTTP_PROXY", "http://user:planted@127.0.0.1:9", "Failed to connect to proxy URL"),
    ],
)
def test_no_secret_of_the_environment_is_in_the_output_of_the_probe(
    tmp_path: Path, service: SimulatedEndpoint, variable: str, value: str, expected: str
) -> None:
    """The HTTP client would quote it in its error."""
    (tmp_path / "config.yaml").write_text(settings(service, {}))
    done = run_command("check", "--probe", folder=tmp_path, environment={**environment(service), variable: value})
    assert done.returncode == 1
    assert expected in done.stdout
    assert "planted" not in done.stdout + done.stderr
