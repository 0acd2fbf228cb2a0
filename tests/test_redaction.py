"""The filter for text from outside: the secrets that it removes, and the text that it keeps."""

from __future__ import annotations

import time

import pytest

from exporter.redaction import REDACTED, redact

KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SESSION = "FwoGZXIvYXdzEJr//////////wEaDExample+Session/Token0123456789=="


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://user:hunter2@proxy:3128/path", f"https://{REDACTED}proxy:3128/path"),
        ("socks5://user:hunter2/@:x@10.0.0.1:1080", f"socks5://{REDACTED}10.0.0.1:1080"),
        (
            "postgresql://exporter:hunter2@db/exporter?sslmode=require",
            f"postgresql://{REDACTED}db/exporter?sslmode=require",
        ),
        ("https://hunter2@example.com", f"https://{REDACTED}example.com"),
        ("host=db user=exporter password=hunter2 port=5432", f"host=db user=exporter password={REDACTED} port=5432"),
        ("password: hunter2", f"password: {REDACTED}"),
        ("'Authorization': 'Basic dXNlcjpodW50ZXIy', 'Host': 'x'", f"'Authorization': '{REDACTED}', 'Host': 'x'"),
        ("Proxy-Authorization: Basic dXNlcjpodW50ZXIy\r\nHost: x", f"Proxy-Authorization: {REDACTED}\r\nHost: x"),
        ("sent Bearer hunter2hunter2", f"sent Bearer {REDACTED}"),
        (f"Invalid header value b'{SESSION}\\n'", f"Invalid header value {REDACTED}"),
        ("Invalid header value b'any token\\n'", f"Invalid header value {REDACTED}"),
        (f"x-amz-security-token: {SESSION}", f"x-amz-security-token: {REDACTED}"),
        ("https://sts/?X-Amz-Signature=0123abcd&Version=1", f"https://sts/?X-Amz-Signature={REDACTED}&Version=1"),
        (
            f"Keys(access_key='AKIDEXAMPLE', secret_key='{KEY}')",
            f"Keys(access_key='{REDACTED}', secret_key='{REDACTED}')",
        ),
        (f'{{"SecretAccessKey": "{KEY}", "Version": 1}}', f'{{"SecretAccessKey": "{REDACTED}", "Version": 1}}'),
        (f"aws_secret_access_key = {KEY}", f"aws_secret_access_key = {REDACTED}"),
        (f"<SessionToken>{SESSION}</SessionToken>", f"<SessionToken>{REDACTED}</SessionToken>"),
        ("key AKIAIOSFODNN7EXAMPLE is not valid", f"key {REDACTED} is not valid"),
        (f"bad session {SESSION}", f"bad session {REDACTED}"),
        ("web identity eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIx.c2ln expired", f"web identity {REDACTED} expired"),
        (
            "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----",
            f"-----BEGIN EC PRIVATE KEY-----{REDACTED}",
        ),
    ],
)
def test_a_secret_is_removed(text: str, expected: str) -> None:
    """The name of the secret and the text around it stay, so that the operator can find it."""
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "The security token included in the request is expired",
        "An error occurred (ExpiredTokenException) when calling ListApplications: the token has expired",
        "The request signature we calculated does not match the signature you provided",
        "basic authentication is required",
        "web identity token file /var/run/secrets/token: No such file or directory",
        "AWS_WEB_IDENTITY_TOKEN_FILE=/var/run/secrets/token",
        "web.yml:2:23: alice: not a bcrypt hash",
        "config.yaml:3:5: password_file: /run/secrets/db cannot be read",
        "arn:aws:sts::111122223333:assumed-role/reader/alice@example.com",
        "Could not connect to the endpoint URL: https://qbusiness.us-east-1.api.aws:443/applications?maxResults=100",
    ],
)
def test_text_without_a_secret_stays(text: str) -> None:
    """Error messages that only speak about credentials are unchanged."""
    assert redact(text) == text


@pytest.mark.parametrize("part", ["http://a:", "password", "token='", "eyJ-", "<key", "Basic a"])
def test_the_time_is_linear(part: str) -> None:
    """A long text that is made to be slow takes little longer per character than a short one."""

    def seconds(repetitions: int) -> float:
        started = time.process_time()
        redact(part * repetitions)
        return time.process_time() - started

    shorter, longer = (min(seconds(n) for _ in range(3)) for n in (2_000, 16_000))
    assert longer < 8 * 4 * shorter
