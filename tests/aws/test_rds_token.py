"""IAM tokens for databases: they equal the tokens of boto3's RDS client."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from unittest import mock

import boto3
import pytest

from exporter.aws.rds_token import request_rds_token
from exporter.errors import ProviderError, Reason, StartupError
from tests.support.harness import free_port

if TYPE_CHECKING:
    from pathlib import Path

HOST = "exporter.cluster-abc.eu-west-1.rds.amazonaws.com"
PARAMETERS = {"host": HOST, "port": "5433", "user": "exporter@x"}


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set credentials, and a region that is not that of the database."""
    values = {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "session",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_a_token_is_that_of_the_rds_client() -> None:
    """The host, the port, the user and the region of the host are signed."""
    client = boto3.client("rds", region_name="eu-west-1")
    with mock.patch("botocore.auth.get_current_datetime", return_value=datetime(2026, 1, 1, tzinfo=UTC)):
        assert request_rds_token(PARAMETERS) == client.generate_db_auth_token(HOST, 5433, "exporter@x")


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [({"host": HOST}, "needs a host and a user for iam_auth"), ({"user": "exporter"}, "needs a host and a user")],
)
def test_a_url_without_host_or_user_is_an_error(parameters: dict[str, str], problem: str) -> None:
    """The token is for one user on one host."""
    with pytest.raises(StartupError, match=problem):
        request_rds_token(parameters)


def test_missing_credentials_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what is missing."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(StartupError, match="cannot be made without credentials"):
        request_rds_token(PARAMETERS)


@pytest.fixture
def web_identity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Set the credentials of a pod in EKS, which come from STS; return the path of the pod's token."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    token = tmp_path / "token"
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/exporter")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{free_port()}")
    return token


def test_credentials_that_sts_does_not_return_are_an_error_of_aws(web_identity: Path) -> None:
    """The SDK requests them only when it signs the token."""
    web_identity.write_text("token of the pod")
    with pytest.raises(ProviderError) as failed:
        request_rds_token(PARAMETERS)
    assert failed.value.reason is Reason.CONNECTION


def test_a_token_of_the_pod_that_cannot_be_read_is_an_error(web_identity: Path) -> None:
    """The message has its path."""
    with pytest.raises(StartupError, match=f"cannot be read: .*{web_identity}"):
        request_rds_token(PARAMETERS)
