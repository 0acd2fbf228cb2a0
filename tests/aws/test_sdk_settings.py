"""Settings of the SDK that botocore cannot use are named at the start, and in later errors."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import DEFAULT_CA_BUNDLE
from botocore.session import Session

from exporter.aws import AwsClient
from exporter.aws.sdk_values import CHOICES
from exporter.config import PollingConfig, parse_target
from exporter.domain.quoting import quoted
from exporter.errors import ProviderError, Reason, StartupError
from exporter.runtime import System
from tests.support.simulated_target import RecordingObserver, SimulatedTarget

URL = "is not a URL with a valid host: write https://host or http://host:port"
PROXY = "is not the URL of a proxy: write http://host:port or https://host:port"
NUMBER = "is not valid: write a whole number from 1"
CHECKSUMS = "write when_supported or when_required"
BUNDLE = "write the path of a file with certificates in PEM format"
SERVICES = "cannot be used: write sts =, and below it the indented line endpoint_url = https://host"


@pytest.fixture(autouse=True)
def config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the configuration file of the SDK, which does not exist yet."""
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for variable in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path / "config"


def start(**settings: str) -> AwsClient:
    """Build a client of AWS itself, which sends no request."""
    return AwsClient(parse_target({"region": "us-east-1", **settings}), PollingConfig(), RecordingObserver(), System())


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("AWS_ENDPOINT_URL", "localhost:4566", f"'localhost:4566' {URL}"),
        ("AWS_ENDPOINT_URL", "ftp://host", f"'ftp://host' {URL}"),
        ("AWS_ENDPOINT_URL", "http://my_service:8080", f"'http://my_service:8080' {URL}"),
        ("AWS_ENDPOINT_URL_QBUSINESS", "http://", f"'http://' {URL}"),
        ("AWS_ENDPOINT_URL_STS", "nonsense", f"'nonsense' {URL}"),
        ("AWS_ENDPOINT_URL_SSO_OIDC", "http://host:port", f"'http://host:port' {URL}"),
        ("AWS_METADATA_SERVICE_TIMEOUT", "1s", f"'1s' {NUMBER}"),
        ("AWS_METADATA_SERVICE_TIMEOUT", "", f"'' {NUMBER}"),
        ("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "0", f"'0' {NUMBER}"),
        ("AWS_CSM_PORT", "-1", f"'-1' {NUMBER}"),
        ("HTTPS_PROXY", "socks5://proxy:1080", f"'socks5://proxy:1080' {PROXY}"),
        ("https_proxy", "http://", f"'http://' {PROXY}"),
        ("HTTPS_PROXY", "http://me:planted@proxy:port", f"'http://<redacted>proxy:port' {PROXY}"),
        ("HTTPS_PROXY", "me:planted@proxy:port", f"'<redacted>proxy:port' {PROXY}"),
        ("AWS_ENDPOINT_URL", "me:planted@proxy:4566", f"'<redacted>proxy:4566' {URL}"),
        (
            "AWS_DEFAULTS_MODE",
            "fast",
            "'fast' is not valid: write legacy, standard, in-region, cross-region, mobile or auto",
        ),
        ("AWS_DEFAULTS_MODE", "", "'' is not valid: write legacy, standard, in-region, cross-region, mobile or auto"),
        ("AWS_STS_REGIONAL_ENDPOINTS", "Legacy", "'Legacy' is not valid: write regional or legacy"),
        ("AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES", "1048577", f"'1048577' {NUMBER} to 1048576"),
        ("AWS_CA_BUNDLE", "", f"'' is not a path: {BUNDLE}"),
        ("AWS_CA_BUNDLE", "/absent.pem", f"'/absent.pem' cannot be read (No such file or directory): {BUNDLE}"),
        ("AWS_CA_BUNDLE", "/", f"'/' cannot be read (Is a directory): {BUNDLE}"),
        ("AWS_CA_BUNDLE", __file__, f"{quoted(__file__)} has no certificates that can be read: {BUNDLE}"),
        ("REQUESTS_CA_BUNDLE", "/absent.pem", f"'/absent.pem' cannot be read (No such file or directory): {BUNDLE}"),
    ],
)
def test_a_variable_that_cannot_be_used_prevents_the_start(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: str
) -> None:
    """The message names the variable, and what would be right."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(StartupError) as error:
        start()
    assert str(error.value) == f"the target: {variable}: {expected}"


@pytest.mark.parametrize(
    ("text", "where", "expected"),
    [
        ("endpoint_url = nonsense", "endpoint_url", f"'nonsense' {URL}"),
        ("metadata_service_timeout = x", "metadata_service_timeout", f"'x' {NUMBER}"),
        ("response_checksum_validation = never", "response_checksum_validation", f"'never' is not valid: {CHECKSUMS}"),
        ("ca_bundle = /", "ca_bundle", f"'/' cannot be read (Is a directory): {BUNDLE}"),
        ("services = absent", "services", f"[services absent] {SERVICES}"),
        ("services = own\n[services own]\nsts = nonsense", "services", f"[services own] {SERVICES}"),
        (
            "services = own\n[services own]\nqbusiness =\n  endpoint_url = nonsense",
            "endpoint_url of qbusiness in the services",
            f"'nonsense' {URL}",
        ),
    ],
)
def test_a_setting_of_a_profile_that_cannot_be_used_prevents_the_start(
    config_file: Path, text: str, where: str, expected: str
) -> None:
    """The message names the setting, the profile and the file."""
    config_file.write_text(f"[profile ops]\n{text}\n")
    with pytest.raises(StartupError) as error:
        start(profile="ops")
    assert str(error.value) == f"the target: {where} of the profile ops in {config_file}: {expected}"


def test_all_problems_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is reported once, although several clients use it."""
    monkeypatch.setenv("AWS_METADATA_SERVICE_TIMEOUT", "x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    with pytest.raises(StartupError) as error:
        start(name="production")
    expected = f"AWS_METADATA_SERVICE_TIMEOUT: 'x' {NUMBER}; AWS_ENDPOINT_URL: 'nonsense' {URL}"
    assert str(error.value) == f"target production: {expected}"


def test_the_endpoint_of_a_target_needs_a_host_that_the_sdk_accepts() -> None:
    """An underscore, as in many names of containers, is not valid in the name of a host."""
    with pytest.raises(StartupError, match=f"the target: endpoint_url: 'http://my_service:8080' {URL}"):
        start(endpoint_url="http://my_service:8080")


@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_ENDPOINT_URL": "http://[::1]:4566/path", "HTTPS_PROXY": "proxy:3128", "HTTP_PROXY": "//proxy"},
        {"AWS_ENDPOINT_URL": "nonsense", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
        {"AWS_ENDPOINT_URL_KENDRA": "nonsense", "AWS_MAX_ATTEMPTS": "x"},
        {"HTTPS_PROXY": "http://", "NO_PROXY": ".amazonaws.com"},
        {"AWS_METADATA_SERVICE_TIMEOUT": " 5 ", "AWS_ENDPOINT_URL": ""},
        {"AWS_DEFAULTS_MODE": "In-Region", "AWS_RETRY_MODE": "never"},
        {"AWS_CA_BUNDLE": DEFAULT_CA_BUNDLE, "REQUESTS_CA_BUNDLE": "/absent.pem"},
    ],
)
def test_settings_that_work_or_are_not_used_are_no_problem(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    """A client of the service can be created with them."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with start().client_for("ListApplications") as client:
        assert client.meta.endpoint_url.startswith(("https://qbusiness.us-east-1.", "http://[::1]:4566"))


def test_an_endpoint_that_changes_after_the_start_is_named(monkeypatch: pytest.MonkeyPatch, config_file: Path) -> None:
    """AWS sent no response, so the reason is not a malformed one. After a correction, requests work."""
    target = SimulatedTarget(endpoint_url=None)
    config_file.write_text("[default]\nendpoint_url = nonsense\n")
    with pytest.raises(ProviderError) as error:
        target.read_jobs()
    assert error.value.reason is Reason.CONNECTION
    place = f"endpoint_url of the profile default in {config_file}"
    assert str(error.value) == f"ListDataSourceSyncJobs: {place}: 'nonsense' {URL}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", target.service.url)
    with target.service:
        assert len(target.read_jobs()) == 25


def test_a_mode_that_changes_after_the_start_is_named(config_file: Path) -> None:
    """The reason is the setting, and not the credentials."""
    target = SimulatedTarget()
    config_file.write_text("[default]\ndefaults_mode = fast\n")
    with (
        target.service,
        pytest.raises(ProviderError, match=f"defaults_mode of the profile default in {config_file}") as error,
    ):
        target.read_jobs()
    assert error.value.reason is Reason.CONNECTION


def test_certificates_are_loaded_once_for_all_targets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hundreds of targets have the same bundle. One that was replaced by an unusable file is noticed nevertheless."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(Path(DEFAULT_CA_BUNDLE).read_bytes())
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    start()
    with monkeypatch.context() as patch:
        patch.delattr(ssl, "SSLContext")  # so that loading them again would fail
        start()
    bundle.write_text("nothing")
    with pytest.raises(StartupError, match="has no certificates"):
        start()


@pytest.mark.parametrize("name", CHOICES)
def test_the_choices_are_those_of_the_sdk(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The SDK accepts each of them, and no other value."""
    _, variable, *_ = Session().session_var_map[name]

    def create_client(value: str) -> None:
        monkeypatch.setenv(variable, value)
        Session().create_client("sts", region_name="eu-west-1")

    for choice in CHOICES[name]:
        create_client(choice)
    with pytest.raises(BotoCoreError):
        create_client("another")
