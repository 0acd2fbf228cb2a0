"""Every source of credentials, with real files, processes and HTTP servers: its credentials and its errors."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from exporter.aws.credential_chain import CredentialChain
from exporter.aws.credentials import Attempt, AwsCredentials
from exporter.aws.hooks import RequestHooks
from exporter.cli import logs
from exporter.config import parse_target
from exporter.domain.units import HOUR
from exporter.errors import ProviderError, Reason
from exporter.runtime import System
from tests.support.simulated_target import ROLE, RecordingObserver, SimulatedTarget

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00"  # noqa: S105 (tests assert that no message has it)
GOOD = {
    "Version": 1,
    "AccessKeyId": "FROM-SOURCE",
    "SecretAccessKey": SECRET,
    "SessionToken": "session",
    "Token": "session",
    "Expiration": (datetime.now(UTC) + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ"),
}
START_URL = "https://example.awsapps.com/start"
PROFILE_OF_SSO = f"""
[profile sso]
sso_start_url = {START_URL}
sso_region = us-east-1
sso_account_id = 111122223333
sso_role_name = reader
"""


class Sources:
    """The environment of a chain: a home directory, profiles and variables."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = home
        self._patch = monkeypatch
        self.config = home / ".aws" / "config"
        self.config.parent.mkdir()
        self.set(AWS_CONFIG_FILE=str(self.config), AWS_SHARED_CREDENTIALS_FILE=str(home / ".aws" / "credentials"))
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)

    def set(self, **variables: str) -> None:
        """Set environment variables."""
        for name, value in variables.items():
            self._patch.setenv(name, value)

    def profiles(self, text: str) -> None:
        """Write the configuration file of the SDK."""
        self.config.write_text(text)

    def helper(self, code: str) -> str:
        """Write a program, and return the command that runs it."""
        path = self.home / "helper.py"
        path.write_text(code)
        return f"{sys.executable} {path}"

    def sso_token(self, session: str, token: dict[str, object]) -> None:
        """Write the token of an SSO session as `aws sso login` does."""
        name = hashlib.sha1(session.encode()).hexdigest()  # noqa: S324 (the SDK's name)
        cache = self.home / ".aws" / "sso" / "cache"
        cache.mkdir(parents=True)
        (cache / f"{name}.json").write_text(json.dumps(token))
        for provider in ("botocore.credentials.SSOProvider", "botocore.tokens.SSOTokenProvider"):
            self._patch.setattr(f"{provider}._SSO_TOKEN_CACHE_DIR", str(cache))  # read from HOME when it is imported

    def obtain(self, timeout: float = 30.0, **settings: Any) -> AwsCredentials:
        """Obtain credentials once."""
        hooks = RequestHooks(RecordingObserver(), System())
        target = parse_target({"region": "us-east-1", **settings})
        return CredentialChain(target, "us-east-1", timeout, "test", hooks)(Attempt(System(), timeout))

    def error(self, timeout: float = 30.0, **settings: Any) -> str:
        """Return the message of an attempt that fails; it is one line, and has no secret."""
        with pytest.raises(ProviderError) as raised:
            self.obtain(timeout, **settings)
        message = str(raised.value)
        assert raised.value.reason is Reason.CREDENTIALS
        assert "\n" not in message
        assert SECRET not in message
        return message


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sources:
    """Return an environment without any credentials."""
    return Sources(tmp_path, monkeypatch)


@pytest.fixture
def sts(target: SimulatedTarget, sources: Sources) -> SimulatedTarget:
    """Return a simulated STS that the chain uses."""
    sources.set(AWS_ENDPOINT_URL_STS=target.service.url)
    return target


class MetadataService:
    """A metadata service over HTTP, for containers and for instances, or the portal of SSO sessions."""

    def __init__(self) -> None:
        self.status, self.body = 200, json.dumps(GOOD).encode()
        self.tokens: list[str | None] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.tokens.append(self.headers.get("Authorization"))
                is_role = self.path.endswith("/iam/security-credentials/")
                body = b"instance-role" if is_role and service.status == 200 else service.body
                self.send_response(service.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_PUT = do_POST = do_GET  # noqa: N815 (names of http.server)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[MetadataService]:
    """Yield a running metadata service; the SDK does not pause between its attempts."""
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    service = MetadataService()
    yield service
    service.stop()


def test_there_may_be_none(sources: Sources) -> None:
    """The message states what to configure."""
    assert sources.error() == "no AWS credentials found: configure a profile, a role or environment variables"


# Environment and profiles.


def test_environment_variables(sources: Sources) -> None:
    """They do not expire."""
    sources.set(AWS_ACCESS_KEY_ID="key", AWS_SECRET_ACCESS_KEY=SECRET)
    obtained = sources.obtain()
    assert (obtained.access_key, obtained.secret_key, obtained.expires_at) == ("key", SECRET, None)


def test_a_variable_with_a_line_break_is_named_and_not_quoted(sources: Sources) -> None:
    """It is a common mistake in a Kubernetes secret, and the HTTP client would quote the header."""
    sources.set(AWS_ACCESS_KEY_ID="key", AWS_SECRET_ACCESS_KEY=SECRET, AWS_SESSION_TOKEN=f"{SECRET}\n")
    assert sources.error() == "AWS_SESSION_TOKEN contains a line break"
    assert sources.error(role_arn=ROLE) == "AWS_SESSION_TOKEN contains a line break"


def test_half_of_the_variables_is_named(sources: Sources) -> None:
    """The message names the variable that is missing."""
    sources.set(AWS_ACCESS_KEY_ID="key")
    assert "AWS_SECRET_ACCESS_KEY" in sources.error()


@pytest.mark.parametrize("variable", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
def test_an_unknown_profile_is_reported_with_its_origin(sources: Sources, variable: str) -> None:
    """The message names the variable and the files."""
    sources.set(**{variable: "nope"})
    expected = f"the profile nope of {variable} could not be found in {sources.config} and {sources.config.parent}"
    assert sources.error().startswith(expected)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"aws_secret_access_key = {SECRET}\n", ":1"),
        (f"[default]\naws_secret_access_key {SECRET}\n", ":2"),
        ("[default]\n[default]\n", ":2"),
        ("[default]\nregion = a\nregion = b\n", ":3"),
        (f"[default]\ns3 =\n  {SECRET}\n", ""),
        ("[default]\nregion = \udcff\n", ""),
    ],
)
def test_a_file_that_cannot_be_parsed_is_reported_with_its_line(sources: Sources, text: str, line: str) -> None:
    """The message does not quote the line, which may have a key."""
    sources.config.write_text(text, errors="surrogateescape")
    assert sources.error().startswith(f"{sources.config}{line}: cannot be parsed: write each section")


def test_a_profile_assumes_a_role_from_another_profile(sources: Sources, sts: SimulatedTarget) -> None:
    """The request is signed with the source profile, and observed."""
    sources.profiles(
        f"[profile source]\naws_access_key_id = base\naws_secret_access_key = {SECRET}\n"
        f"[profile reader]\nrole_arn = {ROLE}\nsource_profile = source\n"
    )
    assert sources.obtain(profile="reader").access_key.startswith("ASSUMED-0")
    assert sts.service.requests[-1].access_key == "base"
    sts.service.sts.refuses = True
    assert sources.error(profile="reader").startswith(f"AssumeRole of {ROLE}: AccessDenied: User is not authorized")


def test_a_profile_with_mfa_does_not_wait_for_the_terminal(sources: Sources) -> None:
    """The SDK would read a code from it."""
    sources.profiles(
        f"[profile source]\naws_access_key_id = base\naws_secret_access_key = {SECRET}\n"
        f"[profile mfa]\nrole_arn = {ROLE}\nsource_profile = source\nmfa_serial = arn:aws:iam::1:mfa/me\n"
    )
    assert "the profile has an mfa_serial, and the exporter cannot enter a code" in sources.error(profile="mfa")


def test_an_sso_session(sources: Sources, metadata: MetadataService) -> None:
    """The portal returns credentials of the role. A refusal is one of the credential chain."""
    sources.set(AWS_ENDPOINT_URL_SSO=metadata.url)
    sources.profiles(PROFILE_OF_SSO)
    sources.sso_token(START_URL, {"accessToken": SECRET, "expiresAt": GOOD["Expiration"]})
    role = {"accessKeyId": "FROM-SOURCE", "secretAccessKey": SECRET, "sessionToken": "session"}
    expires = (time.time() + HOUR) * 1000
    metadata.body = json.dumps({"roleCredentials": {**role, "expiration": int(expires)}}).encode()
    obtained = sources.obtain(profile="sso")
    assert obtained.access_key == "FROM-SOURCE"
    assert obtained.expires_at == pytest.approx(expires / 1000, abs=1)
    metadata.status, metadata.body = 403, b'{"message": "No access"}'
    assert "GetRoleCredentials" in sources.error(profile="sso")


def test_an_expired_sso_session_is_reported_with_the_command(sources: Sources) -> None:
    """The message states how to sign in."""
    sources.set(HOME=str(sources.home), AWS_PROFILE="sso")
    sources.profiles(PROFILE_OF_SSO)
    message = sources.error()
    assert message.startswith("profile sso: ")
    assert message.endswith("Sign in with `aws sso login --profile sso`")


def test_an_sso_session_that_cannot_be_renewed_is_logged_by_the_exporter_alone(
    sources: Sources, metadata: MetadataService
) -> None:
    """The SDK would log each attempt. At debug level it does."""
    sources.set(AWS_ENDPOINT_URL_SSO_OIDC=metadata.url)
    metadata.status, metadata.body = 400, b'{"error": "invalid_grant"}'
    sources.profiles(
        f"[sso-session corp]\nsso_region = us-east-1\nsso_start_url = {START_URL}\n"
        "[profile sso]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = reader\n"
    )
    expired, later = "2020-01-01T00:00:00Z", GOOD["Expiration"]
    token = {"accessToken": SECRET, "expiresAt": expired, "refreshToken": SECRET, "clientId": "id"}
    registration = {"clientSecret": SECRET, "registrationExpiresAt": later, "region": "us-east-1"}
    sources.sso_token("corp", {**token, **registration})
    for level, is_logged in (("info", False), ("debug", True)):
        stream = io.StringIO()
        logs.configure(stream, level)
        assert sources.error(profile="sso").endswith("Sign in with `aws sso login --profile sso`")
        assert ("logger=botocore.tokens" in stream.getvalue()) is is_logged
        assert SECRET not in stream.getvalue()


# Roles.


@pytest.mark.parametrize(
    ("fault", "expected"),
    [("denied", "AccessDenied"), ("invalid", "ValidationError"), ("html", ""), ("server_error", "")],
)
def test_every_error_of_sts_has_the_reason_credentials(
    sources: Sources, sts: SimulatedTarget, fault: str, expected: str
) -> None:
    """A refused role is not a refusal by the service, so it has no other effect."""
    sources.set(AWS_ACCESS_KEY_ID="key", AWS_SECRET_ACCESS_KEY=SECRET)
    sts.service.faults.add(fault)
    assert sources.error(role_arn=ROLE).startswith(f"AssumeRole of {ROLE}: {expected}")


def test_an_sts_that_hangs_is_abandoned(sources: Sources, sts: SimulatedTarget) -> None:
    """After both attempts, which share the timeout."""
    sources.set(AWS_ACCESS_KEY_ID="key", AWS_SECRET_ACCESS_KEY=SECRET)
    sts.service.faults.add("hang")
    message = sources.error(0.4, role_arn=ROLE)
    assert message.startswith(f"AssumeRole of {ROLE}: Read timeout on endpoint URL")


def test_a_web_identity_token_is_read_for_each_attempt(sources: Sources, sts: SimulatedTarget) -> None:
    """It is rotated in place. A file that is missing or unreadable is named with its variable."""
    token = sources.home / "token"
    sources.set(AWS_WEB_IDENTITY_TOKEN_FILE=str(token), AWS_ROLE_ARN=ROLE)
    missing = f"AWS_WEB_IDENTITY_TOKEN_FILE: {token}: No such file or directory"
    assert sources.error() == missing
    token.write_text("first")
    assert sources.obtain().access_key.startswith("ASSUMED")
    token.write_text("second")
    sources.obtain()
    assert sts.service.sts.web_identity_tokens == ["first", "second"]
    sts.service.sts.refuses = True
    assert sources.error().startswith(f"AssumeRoleWithWebIdentity of {ROLE}: AccessDenied")
    token.unlink()
    assert sources.error() == missing
    token.mkdir()
    assert sources.error() == f"AWS_WEB_IDENTITY_TOKEN_FILE: {token}: Is a directory"


# Metadata services.


def test_a_container_endpoint_with_a_token_file(sources: Sources, metadata: MetadataService) -> None:
    """As EKS Pod Identity provides it: the token is read for each attempt."""
    token = sources.home / "token"
    sources.set(
        AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{metadata.url}/v1/credentials",
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(token),
    )
    missing = f"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: {token}: No such file or directory"
    assert sources.error() == missing
    token.write_text("pod")
    obtained = sources.obtain()
    assert (obtained.access_key, obtained.expires_at is not None) == ("FROM-SOURCE", True)
    assert metadata.tokens[-1] == "pod"
    metadata.status, metadata.body = 403, b"not allowed"
    assert "Received non 200 response 403" in sources.error()
    metadata.status, metadata.body = 200, b"{}"
    assert sources.error() == "unusable response (KeyError: 'AccessKeyId')"
    metadata.body = b"[]"
    assert sources.error().startswith("unusable response (TypeError: ")
    sources.set(AWS_CONTAINER_CREDENTIALS_FULL_URI="nonsense")
    assert sources.error().startswith("AWS_CONTAINER_CREDENTIALS_FULL_URI: Unsupported host")


def test_a_number_that_changes_after_the_start(sources: Sources) -> None:
    """The setting is named; botocore's error would only quote it."""
    sources.profiles("[default]\nmetadata_service_timeout = x\n")
    place = f"metadata_service_timeout of the profile default in {sources.config}"
    assert sources.error() == f"{place}: 'x' is not valid: write a whole number from 1"


def test_an_instance_role(sources: Sources, metadata: MetadataService) -> None:
    """Without a role, the instance has no credentials."""
    sources.set(AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=f"{metadata.url}/")
    metadata.body = json.dumps({**GOOD, "Code": "Success"}).encode()
    assert sources.obtain().access_key == "FROM-SOURCE"
    metadata.status = 404
    assert sources.error().startswith("no AWS credentials found")


# Credential processes.


def test_a_credential_process(sources: Sources) -> None:
    """It is run for each attempt, including for a profile that a role is assumed from."""
    command = sources.helper(f"print({json.dumps(json.dumps(GOOD))})")
    sources.profiles(f"[default]\ncredential_process = {command}\n")
    assert sources.obtain().access_key == "FROM-SOURCE"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (f"import sys; sys.exit('no session\\nSecretAccessKey={SECRET}')", "no session"),
        ("import sys; sys.exit(3)", "the process ended with exit code 3"),
        ("print('not json')", "unusable response (JSONDecodeError: Expecting value"),
        ("print('{}')", "Unsupported version"),
        ("while True: print('0' * 1000)", "the process wrote more than 65536 bytes, and was killed"),
        ("import sys\nwhile True: sys.stderr.write('0' * 1000)", "the process wrote more than 65536 bytes"),
    ],
)
def test_a_credential_process_that_fails(sources: Sources, code: str, expected: str) -> None:
    """The message names the process, and has its output to stderr without secrets."""
    sources.profiles(f"[default]\ncredential_process = {sources.helper(code)}\n")
    message = sources.error()
    assert message.startswith(f"credential_process {sys.executable}: ")
    assert expected in message


def test_a_credential_process_that_is_missing(sources: Sources) -> None:
    """The message has the path."""
    sources.profiles("[default]\ncredential_process = /nonexistent/helper\n")
    assert sources.error() == "credential_process /nonexistent/helper: /nonexistent/helper: No such file or directory"


@pytest.mark.parametrize("profile", ["direct", "role"])
def test_a_credential_process_that_hangs_is_killed_with_its_children(
    sources: Sources, sts: SimulatedTarget, profile: str
) -> None:
    """Otherwise processes would pile up, one for each attempt."""
    marker = sources.home / "survived"
    child = f"import sys, pathlib; sys.stdin.read(); pathlib.Path({str(marker)!r}).touch()"
    command = sources.helper(
        "import subprocess, sys\n"
        f"subprocess.Popen([sys.executable, '-c', {child!r}], stdin=subprocess.PIPE)\n"
        "sys.stdout.flush()\n"
        "import threading; threading.Event().wait()\n"
    )
    sources.profiles(
        f"[profile direct]\ncredential_process = {command}\n"
        f"[profile role]\nrole_arn = {ROLE}\nsource_profile = direct\n"
    )
    message = sources.error(0.5, profile=profile)
    assert "the process did not end within 0.5 s, and was killed" in message
    assert not marker.exists()
    assert sts.service.requests == []


def test_a_child_that_leaves_the_process_group_does_not_block_the_attempt(sources: Sources, tmp_path: Path) -> None:
    """The child is not killed, and holds the pipes open until the test opens the FIFO."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    child = f"open({str(fifo)!r}).read()"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}], start_new_session=True)"
    sources.profiles(f"[default]\ncredential_process = {sources.helper(code)}\n")
    try:
        assert "the process did not end within 2 s, and was killed" in sources.error(2.0)
    finally:
        fifo.write_text("")  # waits for the child to open it
