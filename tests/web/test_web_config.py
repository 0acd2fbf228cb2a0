"""TLS, passwords and headers over real connections, and changes of the files while the server runs."""

from __future__ import annotations

import http.client
import itertools
import shutil
import ssl
import threading
from base64 import b64encode
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from operator import eq
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import bcrypt
import pytest
import yaml
from structlog.testing import capture_logs

from exporter.errors import ConfigError
from exporter.web.basic_auth import MAX_WAITING_PER_ADDRESS
from exporter.web.server.server import WebServer
from exporter.web.web_config import WebConfigReloader
from tests.support.certificates import Certificates, client_context
from tests.support.harness import TIMEOUT, eventually
from tests.support.web_app import make_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

TLS = {"cert_file": "server.crt", "key_file": "server.key"}
NONE: Mapping[str, str] = MappingProxyType({})
MUTUAL = {**TLS, "client_ca_file": "ca.crt", "client_auth_type": "RequireAndVerifyClientCert"}


def hash_of(password: str, cost: int = 4) -> str:
    """Return the bcrypt hash of a password, with a low cost."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


def basic(name: str, password: str) -> dict[str, str]:
    """Return the Authorization header of a client."""
    return {"Authorization": f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"}


def certificate_of(connection: http.client.HTTPConnection) -> bytes | None:
    """Return the certificate of the server at the other end of a connection."""
    assert isinstance(connection.sock, ssl.SSLSocket)
    return connection.sock.getpeercert(binary_form=True)


@dataclass
class SecuredServer:
    """A server with a web config, and the callbacks that it made."""

    folder: Path
    callbacks: list[str] = field(default_factory=list)
    reload: Callable[[], list[str]] = list

    def start(self, **config: Any) -> None:
        """Start with a web config. The tests call `check` instead of the thread that calls it every second."""
        self.rewrite(**config)
        self.web_config = WebConfigReloader(self.folder / "web.yml")
        app = make_app(reload=self.reload, web_config=self.web_config)
        self.server = WebServer(app, ["127.0.0.1:0"], ssl_context=self.web_config.ssl_context)
        self.server.start()
        self.web_config.watch(
            self.server.renew_connections,
            lambda: self.callbacks.append("applied"),
            lambda: self.callbacks.append("refused"),
        )
        self.web_config.stop()

    def rewrite(self, **config: Any) -> None:
        """Write the web config."""
        (self.folder / "web.yml").write_text(yaml.safe_dump(config))

    def connect(self, client: Path | None = None) -> http.client.HTTPConnection:
        """Return a new connection."""
        host, port = self.server.addresses[0]
        if self.web_config.ssl_context is None:
            return http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=client_context(self.folder, client))

    def get(
        self,
        path: str = "/metrics",
        headers: Mapping[str, str] = NONE,
        *,
        client: Path | None = None,
        method: str = "GET",
    ) -> http.client.HTTPResponse:
        """Send one request on its own connection."""
        with closing(self.connect(client)) as connection:
            connection.request(method, path, headers=dict(headers))
            response = connection.getresponse()
            response.read()
            return response

    def status(self, path: str = "/metrics", headers: Mapping[str, str] = NONE) -> int:
        """Return the status of one request."""
        return self.get(path, headers).status


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Issue certificates once."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def served(tmp_path: Path, certificates: Certificates) -> Iterator[SecuredServer]:
    """Return a server, and stop it after the test."""
    shutil.copytree(certificates.folder, tmp_path, dirs_exist_ok=True)
    served = SecuredServer(tmp_path)
    yield served
    served.server.stop()


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, bytes]]:
    """Return the passwords and hashes that bcrypt checks, recorded."""
    tried = []
    check = bcrypt.checkpw

    def recorded(word: bytes, hashed: bytes) -> bool:
        tried.append((word, hashed))
        return check(word, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", recorded)
    return tried


def test_every_path_needs_a_password(served: SecuredServer) -> None:
    """This holds for unknown paths and for all methods."""
    served.start(basic_auth_users={"alice": hash_of("secret")})
    paths = (
        "/metrics",
        "/",
        "/nowhere",
        "/-/healthy/",
        "//-/healthy",
        "/-/Healthy",
        "/-/reload",
        "/runbooks/",
        "/runbooks/x",
    )
    for path, method in itertools.product(paths, ("GET", "HEAD", "POST")):
        for headers in ({}, basic("alice", "wrong"), basic("bob", "secret"), {"Authorization": "Bearer secret"}):
            response = served.get(path, headers, method=method)
            assert response.status == 401
            assert response.headers["WWW-Authenticate"].startswith("Basic ")
            assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert served.get(path, basic("alice", "secret"), method=method).status != 401


def test_health_and_readiness_need_no_password(served: SecuredServer) -> None:
    """The probes of an orchestrator have no password. A wrong password is ignored."""
    served.start(basic_auth_users={"alice": hash_of("secret")})
    for path in ("/-/healthy", "/-/ready"):
        assert served.status(path) == 200
        assert served.get(path, method="HEAD").status == 200
        assert served.status(path, basic("alice", "wrong")) == 200


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("alice", "correct horse"),
        ("ülrich", "pässwörd: with colon"),
        ("", "of the empty name"),
        ("long", "x" * 72 + "ignored by bcrypt"),
    ],
)
def test_only_the_exact_password_is_accepted(served: SecuredServer, name: str, password: str) -> None:
    """This holds for non-ASCII characters, colons, empty names and long passwords."""
    served.start(basic_auth_users={name: hash_of(password[:72])})
    for _ in range(2):
        assert served.status(headers=basic(name, password)) == 200
    for wrong in ("", password[:-1], password[1:], password.swapcase()):
        if wrong[:72] != password[:72]:
            assert served.status(headers=basic(name, wrong)) == 401


def test_malformed_authorization_headers_are_rejected(served: SecuredServer) -> None:
    """The response is 401, as without the header."""
    served.start(basic_auth_users={"alice": hash_of("secret")})
    for header in ("Basic", "Basic !!!", "Basic YWxpY2U=", "Basic \xff", "basic  ", "Digest x", ":"):
        assert served.status(headers={"Authorization": header}) == 401


def test_unknown_users_take_as_long_as_known_ones(served: SecuredServer, tried: list[tuple[bytes, bytes]]) -> None:
    """Bcrypt runs for both, on hashes of the same cost."""
    served.start(basic_auth_users={"alice": hash_of("secret", 5)})
    assert served.status(headers=basic("alice", "wrong")) == 401
    assert served.status(headers=basic("bob", "secret")) == 401
    assert len(tried) == 2
    assert [hashed[:7] for _, hashed in tried] == [b"$2b$05$"] * 2


def test_a_correct_password_is_checked_once(served: SecuredServer, tried: list[tuple[bytes, bytes]]) -> None:
    """Bcrypt runs again for each wrong password, and after the users have changed."""
    served.start(basic_auth_users={"alice": hash_of("secret")})
    for password in ("secret", "secret", "wrong", "wrong", "secret"):
        served.status(headers=basic("alice", password))
    assert [word for word, _ in tried] == [b"secret", b"wrong", b"wrong"]
    served.rewrite(basic_auth_users={"alice": hash_of("other")})
    assert served.web_config.check() == []
    assert [served.status(headers=basic("alice", password)) for password in ("secret", "other")] == [401, 200]
    assert [word for word, _ in tried[3:]] == [b"secret", b"other"]


def test_many_wrong_passwords_delay_no_other_client(served: SecuredServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verified clients and probes get immediate responses. One bcrypt check runs at a time, and few requests wait."""
    served.start(basic_auth_users={"alice": hash_of("secret")})
    assert served.status(headers=basic("alice", "secret")) == 200
    at_once, most, gate = threading.Semaphore(1), [], threading.Event()

    def slow(_word: bytes, _hashed: bytes) -> bool:
        most.append(at_once.acquire(blocking=False))
        gate.wait(TIMEOUT)
        at_once.release()
        return False

    monkeypatch.setattr(bcrypt, "checkpw", slow)
    statuses: list[int] = []
    flood = [
        threading.Thread(target=lambda: statuses.append(served.status(headers=basic("alice", "wrong"))))
        for _ in range(20)
    ]
    for client in flood:
        client.start()
    eventually(lambda: len(statuses) == 20 - MAX_WAITING_PER_ADDRESS)
    assert statuses == [429] * (20 - MAX_WAITING_PER_ADDRESS)
    assert served.status(headers=basic("alice", "secret")) == 200
    assert served.status("/-/healthy") == 200
    eventually(lambda: most == [True])
    gate.set()
    for client in flood:
        client.join(TIMEOUT)
    assert statuses[-MAX_WAITING_PER_ADDRESS:] == [401] * MAX_WAITING_PER_ADDRESS
    assert most == [True] * MAX_WAITING_PER_ADDRESS


def test_client_addresses_take_turns(served: SecuredServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first check for an address waits for one check of another address, no matter how many are queued there."""
    served.start(basic_auth_users={"alice": hash_of("secret")})
    tried: list[bytes] = []
    turns = threading.Semaphore(0)

    def slow(word: bytes, _hashed: bytes) -> bool:
        tried.append(word)
        turns.acquire(timeout=TIMEOUT)
        return word == b"secret"

    monkeypatch.setattr(bcrypt, "checkpw", slow)
    statuses: dict[str, list[int]] = {"wrong": [], "secret": []}
    clients = []
    for source, password in (("127.0.0.1", "wrong"), ("127.0.0.2", "secret")):

        def request(source: str = source, password: str = password) -> None:
            connection = http.client.HTTPConnection(
                *served.server.addresses[0], timeout=TIMEOUT, source_address=(source, 0)
            )
            with closing(connection):
                connection.request("GET", "/metrics", headers=basic("alice", password))
                statuses[password].append(connection.getresponse().status)

        clients += [threading.Thread(target=request) for _ in range(MAX_WAITING_PER_ADDRESS + 1)]
        for client in clients[-MAX_WAITING_PER_ADDRESS - 1 :]:
            client.start()
        eventually(partial(eq, statuses[password], [429]))  # the others wait
    turns.release(len(clients))
    for client in clients:
        client.join(TIMEOUT)
    assert tried[:2] == [b"wrong", b"secret"]
    assert tried[2:] == [b"wrong"] * 4
    assert statuses == {"wrong": [429] + [401] * 5, "secret": [429] + [200] * 5}


def test_one_reload_runs_at_a_time(served: SecuredServer) -> None:
    """Further reload requests wait, and scrapes continue."""
    begun, gate = threading.Semaphore(0), threading.Event()

    def reload() -> list[str]:
        begun.release()
        gate.wait(TIMEOUT)
        return []

    served.reload = reload
    served.start()
    statuses: list[int] = []

    def request() -> None:
        statuses.append(served.get("/-/reload", method="POST").status)

    clients = [threading.Thread(target=request) for _ in range(3)]
    for client in clients:
        client.start()
    assert begun.acquire(timeout=TIMEOUT)
    assert served.status() == 200
    assert not begun.acquire(timeout=0.5)
    gate.set()
    for client in clients:
        client.join(TIMEOUT)
    assert statuses == [200] * 3


def test_configured_headers_are_in_every_response(served: SecuredServer) -> None:
    """Rejections and errors have them too. A content security policy is added to the page's own; changes apply."""
    policy = {"Content-Security-Policy": "frame-ancestors 'self'", "X-Frame-Options": "sameorigin"}
    served.start(basic_auth_users={"alice": hash_of("secret")}, http_server_config={"headers": policy})
    known = basic("alice", "secret")
    big = served.get(method="POST", headers={**known, "Content-Length": "999999"})
    for response in (
        served.get(),
        served.get(headers=known),
        served.get("/nowhere", known),
        served.get("/-/ready"),
        big,
    ):
        assert response.headers["X-Frame-Options"] == "sameorigin"
        assert policy["Content-Security-Policy"] in response.headers.get_all("Content-Security-Policy", [])
    policies = served.get("/", known).headers.get_all("Content-Security-Policy", [])
    assert len(policies) == 2
    assert any("default-src 'none'" in each for each in policies)
    served.rewrite(basic_auth_users={}, http_server_config={"headers": {"X-XSS-Protection": 0}})
    assert served.web_config.check() == []
    response = served.get()
    assert (response.status, response.headers["X-XSS-Protection"], response.headers["X-Frame-Options"]) == (
        200,
        "0",
        None,
    )
    assert served.callbacks == ["applied"]


def test_a_rotated_certificate_applies_to_new_connections(served: SecuredServer) -> None:
    """The server closes each open connection after its response, so that no client keeps the old certificate."""
    served.start(tls_server_config=TLS)
    with closing(served.connect()) as kept:
        kept.request("GET", "/metrics")
        assert kept.getresponse().read() == b"up 1\n"
        before = certificate_of(kept)
        Certificates(served.folder)
        assert served.web_config.check() == []
        assert kept.sock
        kept.sock.settimeout(TIMEOUT)
        assert kept.sock.recv(1) == b""  # an idle one ends immediately
    with closing(served.connect()) as new:
        new.connect()
        assert certificate_of(new) != before
    assert served.callbacks == ["applied"]


def test_a_changed_password_keeps_connections_open(served: SecuredServer) -> None:
    """Only changed TLS settings need a new handshake."""
    served.start(tls_server_config=TLS)
    with closing(served.connect()) as kept:
        kept.request("GET", "/metrics")
        assert kept.getresponse().read() == b"up 1\n"
        used = kept.sock
        served.rewrite(tls_server_config=TLS, basic_auth_users={"alice": hash_of("secret")})
        assert served.web_config.check() == []
        kept.request("GET", "/metrics", headers=basic("alice", "secret"))
        assert kept.getresponse().read() == b"up 1\n"
        assert kept.sock is used


def test_changed_requirements_for_client_certificates_apply(served: SecuredServer, tmp_path: Path) -> None:
    """The requirement and the authority can change while the server runs."""
    client = served.folder / "client.pem"
    served.start(tls_server_config=TLS)
    assert served.get().status == 200
    served.rewrite(tls_server_config=MUTUAL)
    assert served.web_config.check() == []
    with pytest.raises(ssl.SSLError, match="ALERT_CERTIFICATE_REQUIRED"):
        served.get()
    assert served.get(client=client).status == 200
    (tmp_path / "other").mkdir()
    other = Certificates(tmp_path / "other")
    shutil.copy(other.folder / "ca.crt", served.folder / "clients.crt")
    served.rewrite(tls_server_config={**MUTUAL, "client_ca_file": "clients.crt"})
    assert served.web_config.check() == []
    with pytest.raises(ssl.SSLError, match="ALERT_UNKNOWN_CA"):
        served.get(client=client)
    assert served.get(client=other.folder / "client.pem").status == 200


def test_a_client_certificate_with_another_name_is_rejected(served: SecuredServer) -> None:
    """The server closes the connection."""
    served.start(tls_server_config={**MUTUAL, "client_allowed_sans": ["other.example.com"]})
    with pytest.raises((OSError, http.client.RemoteDisconnected)):
        served.get(client=served.folder / "client.pem")


def test_plain_http_on_a_tls_port_gets_an_explanation(served: SecuredServer) -> None:
    """The usual cause is a missing `scheme: https` in the configuration of Prometheus."""
    served.start(tls_server_config=TLS)
    with closing(http.client.HTTPConnection(*served.server.addresses[0], timeout=TIMEOUT)) as connection:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        assert (response.status, response.read()) == (400, b"This port uses TLS: use https:// instead of http://\n")


def test_an_invalid_file_changes_nothing_and_is_logged_once(served: SecuredServer) -> None:
    """The problem is logged in the second check, because the first one may read a partly written file."""
    served.start(tls_server_config=TLS, basic_auth_users={"alice": hash_of("secret")})
    (served.folder / "web.yml").write_text("tls_server_config: {cert_file: server.crt, key_file: client.pem}\n")
    with capture_logs() as logs:
        assert [problem.message for problem in served.web_config.check()] == [
            "key_file: does not belong to the certificate"
        ]
        assert logs == []
        for _ in range(3):
            assert served.web_config.check()
    assert [(entry["log_level"], entry["event"]) for entry in logs] == [
        ("error", "web config reload failed, keeping the previous one")
    ]
    assert served.callbacks == ["refused"]
    assert [served.status(), served.status(headers=basic("alice", "secret"))] == [401, 200]
    with capture_logs() as logs:
        served.rewrite(tls_server_config=TLS, basic_auth_users={"bob": hash_of("secret")})
        assert served.web_config.check() == []
    assert [(entry["event"], entry["changed"]) for entry in logs] == [("web config reloaded", ["basic_auth_users"])]
    assert served.callbacks == ["refused", "applied"]
    assert served.status(headers=basic("bob", "secret")) == 200


def test_a_partly_written_change_is_not_logged(served: SecuredServer) -> None:
    """A certificate that is written before its key causes no problem once the key is written."""
    served.start(tls_server_config=TLS)
    key = (served.folder / "server.key").read_bytes()
    with capture_logs() as logs:
        Certificates(served.folder)
        new = (served.folder / "server.key").read_bytes()
        (served.folder / "server.key").write_bytes(key)
        assert served.web_config.check()
        (served.folder / "server.key").write_bytes(new)
        assert served.web_config.check() == []
    assert [entry["event"] for entry in logs] == ["web config reloaded"]


def test_removed_files_keep_the_previous_settings(served: SecuredServer) -> None:
    """The files apply again after they have been restored."""
    served.start(tls_server_config=TLS)
    (served.folder / "server.key").rename(served.folder / "away")
    (problem,) = served.web_config.check()
    assert str(problem).endswith("server.key cannot be read: No such file or directory")
    assert served.get().status == 200
    (served.folder / "away").rename(served.folder / "server.key")
    assert served.web_config.check() == []
    (served.folder / "web.yml").unlink()
    (problem,) = served.web_config.check()
    assert str(problem).endswith("web.yml:1:1: cannot be read: No such file or directory")
    assert served.get().status == 200


@pytest.mark.parametrize("text", ["", "# later\n", "{}\n"])
def test_an_emptied_file_keeps_the_previous_settings(served: SecuredServer, text: str) -> None:
    """The defaults would let everyone in while a deploy script writes the file again."""
    served.start(basic_auth_users={"alice": hash_of("secret")})
    (served.folder / "web.yml").write_text(text)
    (problem,) = served.web_config.check()
    assert "web.yml:1:1: empty, although it was not when it was last read" in str(problem)
    assert served.get().status == 401


@pytest.mark.parametrize(("before", "after"), [({}, {"tls_server_config": TLS}), ({"tls_server_config": TLS}, {})])
def test_turning_tls_on_or_off_needs_a_restart(
    served: SecuredServer, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """Until then, the other settings of the file do not apply either."""
    served.start(**before)
    served.rewrite(**after, basic_auth_users={"alice": hash_of("secret")})
    (problem,) = served.web_config.check()
    assert problem.message == "tls_server_config: a restart is needed to turn TLS on or off"
    assert served.get().status == 200


def test_files_are_checked_periodically(served: SecuredServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change applies without a request for it."""
    monkeypatch.setattr("exporter.web.web_config.CHECK_INTERVAL", 0.01)
    served.start()
    applied = threading.Event()
    web_config = WebConfigReloader(served.folder / "web.yml")
    web_config.watch(lambda: None, applied.set, lambda: None)
    served.rewrite(basic_auth_users={"alice": hash_of("secret")})
    assert applied.wait(TIMEOUT)
    assert web_config.users
    web_config.stop()


def test_the_server_does_not_start_with_an_invalid_file(tmp_path: Path) -> None:
    """The error has every problem."""
    (tmp_path / "web.yml").write_text("a: 1\nb: 2\n")
    with pytest.raises(ConfigError) as refused:
        WebConfigReloader(tmp_path / "web.yml")
    assert len(refused.value.problems) == 2
