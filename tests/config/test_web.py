"""The web config: valid files load, invalid files result in every problem with its position, and without secrets."""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.config import TlsConfig, WebConfig
from exporter.config.web import HeadersConfig, HttpConfig
from exporter.config.web_types import CURVES, IF_GIVEN, NO_CLIENT, SUITES, UNSUPPORTED_AUTH, VERIFIED, VERSIONS
from exporter.errors import ConfigError
from exporter.web.web_config import WebConfigReloader
from tests.support.certificates import Certificates, client_context
from tests.support.invalid_configs import invalid_configs

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
HASH = "$2b$04$HIrAoaLkQfPCSpVHq2cVUeYmnuPnTzFqzBBDZ3XhWUlm1bFlqzOle"
ACCEPTED = " (promtool accepts"


INVALID = invalid_configs("bad_web_configs.txt")
TWO_SUITES = "[TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]"
INLINE = {"cert": "server.crt", "key": "server.key", "client_ca": "ca.crt"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with certificates, keys, an encrypted key and an empty file."""
    folder = tmp_path_factory.mktemp("web")
    Certificates(folder).encrypt_key("encrypted.key")
    (folder / "empty.pem").touch()
    return folder


@pytest.fixture
def load(folder: Path) -> Callable[[str], WebConfigReloader]:
    """Return a function that loads the text of a web config in that folder."""

    def load(text: str) -> WebConfigReloader:
        path = folder / "web.yml"
        path.write_text(text)
        return WebConfigReloader(path)

    return load


def handshake(reloader: WebConfigReloader, client: ssl.SSLContext) -> tuple[ssl.SSLError | None, ssl.SSLObject]:
    """Perform a handshake like asyncio; return the error of the server, if any, and the side of the client."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    assert reloader.ssl_context
    server_side = reloader.ssl_context.wrap_bio(to_server, to_client, server_side=True)
    client_side = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    for _ in range(10):
        with suppress(ssl.SSLError):
            client_side.do_handshake()
        try:
            server_side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError as error:
            return error, client_side
        client_side.do_handshake()
        return None, client_side
    raise AssertionError("the handshake does not complete")


@pytest.mark.parametrize(
    ("text", "problems"), [pytest.param(each.text, each.problems, id=each.name) for each in INVALID]
)
def test_every_problem_is_reported_with_its_position(
    load: Callable[[str], WebConfigReloader], folder: Path, text: str, problems: list[str]
) -> None:
    """Problems are sorted by position, and contain no value that may be a password."""
    with pytest.raises(ConfigError) as refused:
        load(text)
    found = [str(problem) for problem in refused.value.problems]
    assert found == [f"{folder}/web.yml:{problem.replace('FOLDER', str(folder))}" for problem in problems]
    assert "hunter2" not in str(found)
    assert "HIrAoaLkQfPC" not in str(found)


def test_promtool_rejects_the_same_files(folder: Path) -> None:
    """The table marks the files that promtool accepts: they have settings that the exporter does not support."""
    names = {}
    for number, each in enumerate(INVALID):
        (folder / f"{number}.yml").write_text(each.text)
        names[f"{folder}/{number}.yml"] = each.name
    done = subprocess.run(["promtool", "check", "web-config", *names], capture_output=True, text=True, check=False)
    verdicts = dict(re.findall(r"^(\S+\.yml) (SUCCESS|FAILED)", done.stdout + done.stderr, re.MULTILINE))
    assert {names[file]: verdict for file, verdict in verdicts.items()} == {
        name: "SUCCESS" if ACCEPTED in name else "FAILED" for name in names.values()
    }


def test_the_exporter_and_promtool_accept_the_example(folder: Path) -> None:
    """Users start from the example."""
    example = folder / "web-config.example.yml"
    shutil.copy(ROOT / "deploy" / example.name, example)
    reloader = WebConfigReloader(example)
    assert reloader.warnings == ()
    assert reloader.summary() == "TLS, client certificates: RequireAndVerifyClientCert; users: 1"
    assert reloader.users.verify(b"prometheus", b"change me")
    # The promtool of some distributions is older than client_allowed_sans.
    example.write_text(re.sub("  client_allowed_sans.*\n", "", example.read_text()))
    subprocess.run(["promtool", "check", "web-config", str(example)], check=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tls_server_config:\nbasic_auth_users:\nhttp_server_config:\n",
        "tls_server_config: {}\nhttp_server_config: {http2: false, headers: {}}\n",
        f"basic_auth_users: {{alice: {HASH}, bob: {HASH.replace('2b', '2y')}, 7: {HASH.replace('2b', '2a')}}}\n",
        "http_server_config: {headers: {X-XSS-Protection: 0, Content-Security-Policy: default-src 'self'}}\n",
    ],
)
def test_every_section_is_optional(load: Callable[[str], WebConfigReloader], folder: Path, text: str) -> None:
    """Without tls_server_config there is no TLS. promtool accepts the same files."""
    assert load(text).ssl_context is None
    subprocess.run(["promtool", "check", "web-config", str(folder / "web.yml")], check=True)


def test_a_slow_hash_causes_a_warning(load: Callable[[str], WebConfigReloader]) -> None:
    """The warning has the position of the hash."""
    (warning,) = load(f"basic_auth_users: {{alice: {HASH.replace('$04$', '$17$')}}}").warnings
    assert (warning.line, warning.column) == (1, 27)
    assert warning.message == "alice: at cost 17, the verification of a password takes seconds; 10 is usual"


@pytest.mark.parametrize(
    ("text", "version", "cipher"),
    [
        ("min_version: TLS13", "TLSv1.3", None),
        ("max_version: TLS12", "TLSv1.2", None),
        (
            "max_version: TLS12, cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]",
            "TLSv1.2",
            "ECDHE-ECDSA-AES256-GCM-SHA384",
        ),
        (
            f"max_version: TLS12, cipher_suites: {TWO_SUITES}",
            "TLSv1.2",
            "ECDHE-ECDSA-CHACHA20-POLY1305",
        ),
        (
            f"max_version: TLS12, prefer_server_cipher_suites: false, cipher_suites: {TWO_SUITES}",
            "TLSv1.2",
            "ECDHE-ECDSA-AES128-GCM-SHA256",
        ),
        ("cipher_suites: [" + ", ".join(SUITES) + "]", "TLSv1.3", None),
    ],
)
def test_tls_versions_and_cipher_suites_are_configurable(
    load: Callable[[str], WebConfigReloader], folder: Path, text: str, version: str, cipher: str | None
) -> None:
    """The server selects in its own order, unless the file prefers the order of the client."""
    reloader = load(f"tls_server_config: {{cert_file: server.crt, key_file: server.key, {text}}}")
    client = client_context(folder)
    client.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384")
    error, client_side = handshake(reloader, client)
    assert error is None
    assert client_side.version() == version
    assert cipher in {None, (client_side.cipher() or ("",))[0]}


@pytest.mark.parametrize(("curve", "accepted"), [("prime256v1", True), ("secp384r1", False)])
def test_the_curve_is_configurable(
    load: Callable[[str], WebConfigReloader],
    folder: Path,
    curve: str,
    accepted: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    """The server rejects a client that supports only another curve."""
    reloader = load(
        "tls_server_config: {cert_file: server.crt, key_file: server.key, curve_preferences: [CurveP256]}",
    )
    client = client_context(folder)
    client.set_ecdh_curve(curve)
    assert (handshake(reloader, client)[0] is None) is accepted


def test_inline_certificates_equal_files(load: Callable[[str], WebConfigReloader], folder: Path) -> None:
    """The server accepts the client certificate, and requires one."""
    inline = {key: (folder / file).read_text() for key, file in INLINE.items()}
    reloader = load(yaml.safe_dump({"tls_server_config": {**inline, "client_auth_type": "RequireAndVerifyClientCert"}}))
    assert handshake(reloader, client_context(folder, folder / "client.pem"))[0] is None
    assert isinstance(handshake(reloader, client_context(folder))[0], ssl.SSLError)


@pytest.mark.parametrize(
    ("policy", "no_certificate", "trusted", "untrusted"),
    [
        ("NoClientCert", True, True, True),
        ("VerifyClientCertIfGiven", True, True, False),
        ("RequireAndVerifyClientCert", False, True, False),
    ],
)
def test_the_policy_decides_which_clients_are_accepted(  # noqa: PLR0913 (each is a column of the table)
    load: Callable[[str], WebConfigReloader],
    folder: Path,
    tmp_path: Path,
    *,
    policy: str,
    no_certificate: bool,
    trusted: bool,
    untrusted: bool,
) -> None:
    """Clients have no certificate, one of the configured authority, or one of another authority."""
    authority = "" if policy == "NoClientCert" else "client_ca_file: ca.crt, "
    reloader = load(
        f"tls_server_config: {{cert_file: server.crt, key_file: server.key, {authority}client_auth_type: {policy}}}"
    )
    other = Certificates(tmp_path).client("prometheus.example.com")
    clients = (None, folder / "client.pem", other)
    accepted = [handshake(reloader, client_context(folder, client))[0] is None for client in clients]
    assert accepted == [no_certificate, trusted, untrusted]


@pytest.mark.parametrize(
    ("sans", "accepted"),
    [
        ("[prometheus.example.com]", True),
        ("[other.example.com, ops@example.com]", True),
        ('["2001:DB8:0::1"]', True),
        ("[10.0.0.1]", True),
        ("[example.com, '*.example.com', 10.0.0.2]", False),
        ("[]", False),
    ],
)
def test_the_certificate_of_a_client_needs_an_allowed_name(
    load: Callable[[str], WebConfigReloader],
    folder: Path,
    sans: str,
    accepted: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    """The certificate must contain one of client_allowed_sans, as an exact match."""
    reloader = load(
        "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: ca.crt, "
        f"client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: {sans}}}"
    )
    assert (handshake(reloader, client_context(folder, folder / "client.pem"))[0] is None) is accepted


def test_the_docs_have_every_key_and_every_value() -> None:
    """RequireClientCert is an older name that the docs omit."""
    page = (ROOT / "docs" / "web-config.md").read_text()
    keys = {*WebConfig.model_fields, *TlsConfig.model_fields, *HttpConfig.model_fields}
    headers = {field.alias or "" for field in HeadersConfig.model_fields.values()}
    values = {*CURVES, *VERSIONS, NO_CLIENT, IF_GIVEN, VERIFIED, *UNSUPPORTED_AUTH}
    assert {word for word in keys | headers | values if word not in page} == {"RequireClientCert"}


# The parts of web configs, and common mistakes.
WORDS = st.sampled_from([HASH, "hunter2", "server.crt", "server.key", "ca.crt"])
KEYS = st.sampled_from(
    [*WebConfig.model_fields, *TlsConfig.model_fields, *HttpConfig.model_fields, "X-Frame-Options", "alice"]
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-1, 99), st.text(max_size=8), WORDS)
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=5))
)


@given(data=st.dictionaries(KEYS, VALUES, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_data_loads_or_is_rejected(load: Callable[[str], WebConfigReloader], data: dict[str, Any]) -> None:
    """No data causes another exception. Problems have positions, and contain no secret."""
    problems = ""
    try:
        load(yaml.safe_dump(data))
    except ConfigError as error:
        problems = str(error)
    assert all(re.match(r"\S+/web\.yml:[1-9][0-9]*:[1-9][0-9]*: \S", line) for line in problems.splitlines())
    assert HASH not in problems
