"""The web config: good files load, bad ones name every problem with its place, and no secret."""

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
from tests.support.certificates import Certificates, trusting

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
HASH = "$2b$04$HIrAoaLkQfPCSpVHq2cVUeYmnuPnTzFqzBBDZ3XhWUlm1bFlqzOle"
ACCEPTED = " (promtool accepts"


def bad_files() -> list[tuple[str, str, list[str]]]:
    """Give what is wrong, the file, and everything that is said of it: line:column: message."""
    table = (ROOT / "tests" / "data" / "bad_web_configs.txt").read_text()
    cases = (case.partition("\n") for case in table.split("### ")[1:])
    parts = ((name, *case.rpartition("---\n")[::2]) for name, _, case in cases)
    return [(name, text, problems.strip().splitlines()) for name, text, problems in parts]


BAD = bad_files()
TWO_SUITES = "[TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]"
INLINE = {"cert": "server.crt", "key": "server.key", "client_ca": "ca.crt"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with certificates, keys, and some that are none."""
    folder = tmp_path_factory.mktemp("web")
    Certificates(folder).encrypt_key("encrypted.key")
    (folder / "empty.pem").touch()
    return folder


@pytest.fixture
def load(folder: Path) -> Callable[[str], WebConfigReloader]:
    """Load the text of a web config in that folder."""

    def load(text: str) -> WebConfigReloader:
        path = folder / "web.yml"
        path.write_text(text)
        return WebConfigReloader(path)

    return load


def handshake(access: WebConfigReloader, client: ssl.SSLContext) -> tuple[ssl.SSLError | None, ssl.SSLObject]:
    """Let a client shake hands, as asyncio would; give why the server refused it, and the client's end."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    assert access.ssl_context
    ours = access.ssl_context.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    for _ in range(10):
        with suppress(ssl.SSLError):
            theirs.do_handshake()
        try:
            ours.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError as error:
            return error, theirs
        theirs.do_handshake()
        return None, theirs
    raise AssertionError("the handshake does not end")


@pytest.mark.parametrize(("text", "problems"), [pytest.param(*case[1:], id=case[0]) for case in BAD])
def test_every_problem_is_named_with_its_place(
    load: Callable[[str], WebConfigReloader], folder: Path, text: str, problems: list[str]
) -> None:
    """In the words of a person, sorted by where it stands, and never with what may be a password."""
    with pytest.raises(ConfigError) as refused:
        load(text)
    found = [str(problem) for problem in refused.value.problems]
    assert found == [f"{folder}/web.yml:{problem.replace('FOLDER', str(folder))}" for problem in problems]
    assert "hunter2" not in str(found)
    assert "HIrAoaLkQfPC" not in str(found)


def test_promtool_refuses_the_same(folder: Path) -> None:
    """But for what it accepts without the exporter being able to do it: those say so in the table."""
    names = {}
    for number, (name, text, _) in enumerate(BAD):
        (folder / f"{number}.yml").write_text(text)
        names[f"{folder}/{number}.yml"] = name
    done = subprocess.run(["promtool", "check", "web-config", *names], capture_output=True, text=True, check=False)
    verdicts = dict(re.findall(r"^(\S+\.yml) (SUCCESS|FAILED)", done.stdout + done.stderr, re.MULTILINE))
    assert {names[file]: verdict for file, verdict in verdicts.items()} == {
        name: "SUCCESS" if ACCEPTED in name else "FAILED" for name in names.values()
    }


def test_the_example_is_accepted_by_both(folder: Path) -> None:
    """The exporter and promtool agree on what people begin with."""
    example = folder / "web-config.example.yml"
    shutil.copy(ROOT / "deploy" / example.name, example)
    access = WebConfigReloader(example)
    assert access.warnings == ()
    assert access.summary() == "TLS, client certificates: RequireAndVerifyClientCert; users: 1"
    assert access.users.verify(b"prometheus", b"change me")
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
def test_what_needs_no_tls(load: Callable[[str], WebConfigReloader], folder: Path, text: str) -> None:
    """Everything may be left out, and promtool agrees."""
    assert load(text).ssl_context is None
    subprocess.run(["promtool", "check", "web-config", str(folder / "web.yml")], check=True)


def test_a_slow_hash_is_unwise(load: Callable[[str], WebConfigReloader]) -> None:
    """It is a warning, with its place."""
    (warning,) = load(f"basic_auth_users: {{alice: {HASH.replace('$04$', '$17$')}}}").warnings
    assert (warning.line, warning.column) == (1, 27)
    assert warning.message == "alice: at a cost of 17 every password takes seconds to check; 10 is usual"


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
def test_versions_and_suites(
    load: Callable[[str], WebConfigReloader], folder: Path, text: str, version: str, cipher: str | None
) -> None:
    """What is chosen is what the file says, in its order, or in the client's where it says so."""
    access = load(f"tls_server_config: {{cert_file: server.crt, key_file: server.key, {text}}}")
    client = trusting(folder)
    client.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384")
    ours, theirs = handshake(access, client)
    assert ours is None
    assert theirs.version() == version
    assert cipher in {None, (theirs.cipher() or ("",))[0]}


@pytest.mark.parametrize(("curve", "agrees"), [("prime256v1", True), ("secp384r1", False)])
def test_a_curve(load: Callable[[str], WebConfigReloader], folder: Path, curve: str, agrees: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    """A client that has another one is refused."""
    access = load(
        "tls_server_config: {cert_file: server.crt, key_file: server.key, curve_preferences: [CurveP256]}",
    )
    client = trusting(folder)
    client.set_ecdh_curve(curve)
    assert (handshake(access, client)[0] is None) is agrees


def test_certificates_written_in_place(load: Callable[[str], WebConfigReloader], folder: Path) -> None:
    """They do what files do."""
    inline = {key: (folder / file).read_text() for key, file in INLINE.items()}
    access = load(yaml.safe_dump({"tls_server_config": {**inline, "client_auth_type": "RequireAndVerifyClientCert"}}))
    assert handshake(access, trusting(folder, folder / "client.pem"))[0] is None
    assert isinstance(handshake(access, trusting(folder))[0], ssl.SSLError)


@pytest.mark.parametrize(
    ("policy", "without", "with_ours", "with_a_strangers"),
    [
        ("NoClientCert", True, True, True),
        ("VerifyClientCertIfGiven", True, True, False),
        ("RequireAndVerifyClientCert", False, True, False),
    ],
)
def test_client_certificates(  # noqa: PLR0913 (a row of the table each)
    load: Callable[[str], WebConfigReloader],
    folder: Path,
    tmp_path: Path,
    *,
    policy: str,
    without: bool,
    with_ours: bool,
    with_a_strangers: bool,
) -> None:
    """Whom each policy lets in."""
    authority = "" if policy == "NoClientCert" else "client_ca_file: ca.crt, "
    access = load(
        f"tls_server_config: {{cert_file: server.crt, key_file: server.key, {authority}client_auth_type: {policy}}}"
    )
    stranger = Certificates(tmp_path).client("prometheus.example.com")
    clients = (None, folder / "client.pem", stranger)
    let_in = [handshake(access, trusting(folder, client))[0] is None for client in clients]
    assert let_in == [without, with_ours, with_a_strangers]


@pytest.mark.parametrize(
    ("sans", "let_in"),
    [
        ("[prometheus.example.com]", True),
        ("[other.example.com, ops@example.com]", True),
        ('["2001:DB8:0::1"]', True),
        ("[10.0.0.1]", True),
        ("[example.com, '*.example.com', 10.0.0.2]", False),
        ("[]", False),
    ],
)
def test_allowed_names_of_clients(
    load: Callable[[str], WebConfigReloader],
    folder: Path,
    sans: str,
    let_in: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    """One of them must be among those of the certificate, to the letter."""
    access = load(
        "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: ca.crt, "
        f"client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: {sans}}}"
    )
    assert (handshake(access, trusting(folder, folder / "client.pem"))[0] is None) is let_in


def test_the_docs_have_every_key() -> None:
    """And every word that a key may have."""
    page = (ROOT / "docs" / "web-config.md").read_text()
    keys = {*WebConfig.model_fields, *TlsConfig.model_fields, *HttpConfig.model_fields}
    headers = {field.alias or "" for field in HeadersConfig.model_fields.values()}
    words = {*CURVES, *VERSIONS, NO_CLIENT, IF_GIVEN, VERIFIED, *UNSUPPORTED_AUTH}
    assert {word for word in keys | headers | words if word not in page} == {"RequireClientCert"}


# What web configs are made of, and what people put there by mistake.
WORDS = st.sampled_from([HASH, "hunter2", "server.crt", "server.key", "ca.crt"])
KEYS = st.sampled_from(
    [*WebConfig.model_fields, *TlsConfig.model_fields, *HttpConfig.model_fields, "X-Frame-Options", "alice"]
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-1, 99), st.text(max_size=8), WORDS)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=5))
)


@given(data=st.dictionaries(KEYS, ANYTHING, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_file_has_it_loads_or_is_refused(
    load: Callable[[str], WebConfigReloader], data: dict[str, Any]
) -> None:
    """With places and without secrets; nothing else ever happens."""
    said = ""
    try:
        load(yaml.safe_dump(data))
    except ConfigError as error:
        said = str(error)
    assert all(re.match(r"\S+/web\.yml:[1-9][0-9]*:[1-9][0-9]*: \S", line) for line in said.splitlines())
    assert HASH not in said
