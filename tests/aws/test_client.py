"""The client of a target: its credentials, roles, account and region."""

from __future__ import annotations

import re
import time
from importlib.metadata import requires
from typing import TYPE_CHECKING

import botocore
import pytest

from exporter.aws import AwsClient
from exporter.config import PollingConfig, parse_target
from exporter.errors import ProviderError, Reason, StartupError
from exporter.providers.qbusiness.provider import QBusiness
from exporter.providers.registry import SERVICES
from exporter.runtime import System
from tests.support.harness import eventually
from tests.support.simulated_target import ROLE, RecordingObserver, SimulatedTarget

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.domain.service import Service


@pytest.fixture
def role_target(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedTarget]:
    """Return a target that assumes a role, with a simulated STS."""
    target = SimulatedTarget(role_arn=ROLE, external_id="secret")
    target.service.sts.external_id = "secret"
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", target.service.url)
    with target.service:
        yield target


def make_client(**settings: str) -> AwsClient:
    """Build a client of AWS itself, which sends no request in these tests."""
    return AwsClient(parse_target(settings), PollingConfig(), RecordingObserver(), System())


def read_eventually(target: SimulatedTarget) -> None:
    """Read jobs until that works."""

    def succeeds() -> bool:
        try:
            return len(target.read_jobs()) == 25
        except ProviderError:
            return False

    eventually(succeeds)


@pytest.mark.usefixtures("fast_retries")
def test_missing_credentials_are_found_later(target: SimulatedTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that become available after the start need no restart."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(ProviderError, match="no AWS credentials found: configure a profile, a role or") as error:
        target.read_jobs()
    assert error.value.reason is Reason.CREDENTIALS
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "late")
    read_eventually(target)
    assert target.service.requests[-1].access_key == "late"


@pytest.mark.usefixtures("fast_retries")
def test_refused_credentials_are_obtained_again(target: SimulatedTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rotated credentials need no restart."""
    target.read_jobs()
    target.service.sts.revoked.add("test")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "rotated")
    with pytest.raises(ProviderError, match="UnrecognizedClientException") as error:
        target.read_jobs()
    assert error.value.reason is Reason.CREDENTIALS
    read_eventually(target)
    assert target.service.requests[-1].access_key == "rotated"


@pytest.mark.usefixtures("fast_retries")
def test_a_request_is_signed_after_its_wait_for_the_rate_limiter(
    target: SimulatedTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials that are replaced during the wait are not used any more."""
    credentials = target.aws_client.credentials

    def wait_for_rotation(operation: str) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "rotated")
        credentials.refused(ProviderError(Reason.CREDENTIALS, "ExpiredToken", operation=operation))
        eventually(lambda: credentials.current().access_key == "rotated")

    monkeypatch.setattr(target.observer, "acquire", wait_for_rotation)
    assert len(target.read_jobs()) == 25
    assert {request.access_key for request in target.service.requests} == {"rotated"}


def test_accepted_credentials_are_not_obtained_again(target: SimulatedTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changed credentials are not read while AWS accepts the current ones."""
    target.read_jobs()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "rotated")
    target.read_jobs()
    assert {request.access_key for request in target.service.requests} == {"test"}


def test_a_new_client_of_the_same_identity_keeps_the_credentials(role_target: SimulatedTarget) -> None:
    """A reload while STS does not respond does not interrupt polling."""
    role_target.read_jobs()
    role_target.service.sts.refuses = True
    config = parse_target(
        {"region": "us-east-1", "endpoint_url": role_target.service.url, "role_arn": ROLE, "external_id": "secret"}
    )
    client = AwsClient(config, PollingConfig(), RecordingObserver(), System(), role_target.aws_client)
    role_target.aws_client.close()
    assert QBusiness(client).container_name(role_target.id.root) == "intranet"


def test_requests_are_signed_with_the_credentials_of_the_role(role_target: SimulatedTarget) -> None:
    """The credentials of the environment are sent to STS only."""
    role_target.read_jobs()
    keys = [request.access_key for request in role_target.service.requests]
    assert keys == ["test", *["ASSUMED-0-444455556666"] * 3]
    assert role_target.observer.operations == ["AssumeRole", *["ListDataSourceSyncJobs"] * 3]


@pytest.mark.usefixtures("fast_retries")
def test_a_role_that_may_not_be_assumed_is_a_credentials_error(role_target: SimulatedTarget) -> None:
    """The message names the role, and the role is requested again without a restart."""
    role_target.service.sts.refuses = True
    with pytest.raises(ProviderError, match=f"AssumeRole of {ROLE}: AccessDenied: User is not authorized") as error:
        role_target.read_jobs()
    assert error.value.reason is Reason.CREDENTIALS
    assert role_target.observer.codes[0] == "AccessDenied"
    role_target.service.sts.refuses = False
    read_eventually(role_target)


@pytest.mark.trial
@pytest.mark.usefixtures("fast_retries")
def test_assumed_credentials_are_renewed_before_they_expire(role_target: SimulatedTarget) -> None:
    """The service never sees expired ones."""
    role_target.clock.set(time.time())
    role_target.service.sts.lifetime = 12.0  # renewed after nine seconds

    def renewals() -> int:
        role_target.clock.set(time.time())
        assert len(role_target.read_jobs()) == 25
        return len({request.access_key for request in role_target.service.requests} - {"test"})

    eventually(lambda: renewals() >= 3)


def test_new_credentials_that_are_expired_already_are_a_credentials_error(role_target: SimulatedTarget) -> None:
    """They are if the clock of the host is wrong."""
    role_target.clock.set(time.time() - 7200)
    role_target.service.sts.lifetime = 3600.0
    with pytest.raises(ProviderError, match="expired when they were obtained, or the clock") as error:
        role_target.read_jobs()
    assert error.value.reason is Reason.CREDENTIALS


def test_the_account_of_a_role_needs_no_request(role_target: SimulatedTarget) -> None:
    """The account is a part of the role's ARN."""
    assert role_target.aws_client.account() == "444455556666"
    assert role_target.service.requests == []


def test_the_account_without_a_role_comes_from_sts(monkeypatch: pytest.MonkeyPatch) -> None:
    """An STS that cannot be reached is an error, after one attempt."""
    target = SimulatedTarget()
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", target.service.url)
    with target.service:
        assert target.aws_client.account() == "111122223333"
        assert target.observer.operations == ["GetCallerIdentity"]
    with pytest.raises(ProviderError) as error:
        target.aws_client.account()
    assert error.value.reason in {Reason.CONNECTION, Reason.TIMEOUT}
    assert target.observer.codes == ["200", "connection"]


@pytest.mark.parametrize("kind", ["server_error", "html", "empty_body", "binary", "denied", "cut", "hang"])
def test_every_unusable_response_of_sts_is_an_error(
    target: SimulatedTarget, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """STS responds with XML, and a proxy may respond with anything."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", target.service.url)
    target.service.faults.add(kind, operation="GetCallerIdentity")
    with pytest.raises(ProviderError) as error:
        target.aws_client.account()
    assert error.value.operation == "GetCallerIdentity"
    assert len(target.observer.codes) == 1


def test_a_target_without_a_region_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message states what to set."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(StartupError) as error:
        make_client(name="production")
    assert str(error.value) == ("target production has no region: set `region` in the configuration, or AWS_REGION")


def test_a_missing_profile_prevents_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported even if the region is configured."""
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(
        StartupError, match=r"the target: the profile absent could not be found in /nonexistent and ~/.aws/credentials"
    ):
        make_client(profile="absent", region="us-east-1")


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_default_region_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Both variables are used, and the name of the target is the region."""
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(name, "eu-west-1")
    client = make_client()
    assert (client.region, client.name, client.partition) == ("eu-west-1", "eu-west-1", "aws")


@pytest.mark.parametrize(("region", "partition"), [("us-gov-west-1", "aws-us-gov"), ("xx-nowhere-1", "aws")])
def test_the_partition_follows_from_the_region(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, region: str, partition: str
) -> None:
    """An unknown region is in the partition `aws`. A broken file of the SDK changes nothing."""
    (tmp_path / "config").write_text("broken\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    assert make_client(region=region).partition == partition


def test_a_new_client_keeps_the_clock_of_the_previous_one(target: SimulatedTarget) -> None:
    """After a reload, AWS's time is known before the first response."""
    target.read_jobs()
    config = parse_target({"region": "us-east-1"})
    client = AwsClient(config, PollingConfig(), RecordingObserver(), System(), target.aws_client)
    assert client.clock is target.aws_client.clock


def test_a_botocore_that_is_too_old_prevents_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would drop members that its models do not have, without an error."""
    monkeypatch.setattr(botocore, "__version__", "1.44.0")
    with pytest.raises(StartupError) as error:
        make_client(region="us-east-1")
    needed = "Amazon Q Business needs 1.44.5 or newer"
    assert str(error.value) == f"the target: botocore 1.44.0 is too old: {needed}"


@pytest.mark.parametrize("service", SERVICES.values(), ids=str)
def test_an_installation_has_the_botocore_that_a_service_needs(service: Service) -> None:
    """The package requires a boto3 of that version or a newer one; boto3 and botocore have the same versions."""
    (least,) = [
        each for each in requires("qbusiness-exporter") or () if each.startswith("boto3") and "extra" not in each
    ]
    required = re.search(r">=([0-9.]+)", least)
    assert required is not None
    assert [int(part) for part in required[1].split(".")] >= [int(part) for part in service.least_botocore.split(".")]
