"""TLS, passwords and headers as clients meet them, and what changes of the files do while the server runs."""

from __future__ import annotations

import http.client
import itertools
import shutil
import ssl
import threading
import time
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
from exporter.web import basic_auth
from exporter.web.application import AppServices, create_app
from exporter.web.server.server import WebServer
from exporter.web.web_config import WebConfigReloader
from tests.support.certificates import Certificates, trusting
from tests.support.harness import eventually
from tests.support.status_fixtures import Exhibit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

TLS = {"cert_file": "server.crt", "key_file": "server.key"}
NONE: Mapping[str, str] = MappingProxyType({})
MUTUAL = {**TLS, "client_ca_file": "ca.crt", "client_auth_type": "RequireAndVerifyClientCert"}


def hash_of(password: str, cost: int = 4) -> str:
    """Hash a password, quickly."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


def basic(name: str, password: str) -> dict[str, str]:
    """Give the header that a client sends."""
    return {"Authorization": f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"}


class Page:
    """A page of metrics."""

    def render(self, accept: str, accept_encoding: str) -> tuple[Sequence[bytes], dict[str, str]]:  # noqa: ARG002 (a protocol's)
        """Give it."""
        return (b"up 1\n",), {"Content-Type": "text/plain"}


def certificate_of(connection: http.client.HTTPConnection) -> bytes | None:
    """Give the certificate that the server of a connection showed."""
    assert isinstance(connection.sock, ssl.SSLSocket)
    return connection.sock.getpeercert(binary_form=True)


@dataclass
class Served:
    """A server with a web config, and what it noted."""

    folder: Path
    noted: list[str] = field(default_factory=list)
    reload: Callable[[], list[str]] = list

    def start(self, **config: Any) -> None:
        """Begin with a web config; from then on `look` does what the program does every second."""
        self.rewrite(**config)
        self.web_config = WebConfigReloader(self.folder / "web.yml")
        site = AppServices(
            Page(), Exhibit.of().overview, lambda: None, lambda: None, reload=self.reload, web_config=self.web_config
        )
        self.server = WebServer(create_app(site), ["127.0.0.1:0"], ssl_context=self.web_config.ssl_context)
        self.server.start()
        self.web_config.watch(
            self.server.renew_connections, lambda: self.noted.append("applied"), lambda: self.noted.append("refused")
        )
        self.web_config.stop()  # the tests look when they are ready

    def rewrite(self, **config: Any) -> None:
        """Change the web config's file."""
        (self.folder / "web.yml").write_text(yaml.safe_dump(config))

    def connect(self, client: Path | None = None) -> http.client.HTTPConnection:
        """Give a connection that was not used yet."""
        host, port = self.server.addresses[0]
        if self.web_config.ssl_context is None:
            return http.client.HTTPConnection(host, port, timeout=10)
        return http.client.HTTPSConnection(host, port, timeout=10, context=trusting(self.folder, client))

    def get(
        self,
        path: str = "/metrics",
        headers: Mapping[str, str] = NONE,
        *,
        client: Path | None = None,
        method: str = "GET",
    ) -> http.client.HTTPResponse:
        """Ask once."""
        with closing(self.connect(client)) as connection:
            connection.request(method, path, headers=dict(headers))
            response = connection.getresponse()
            response.read()
            return response

    def status(self, path: str = "/metrics", headers: Mapping[str, str] = NONE) -> int:
        """Ask once, for the status alone."""
        return self.get(path, headers).status


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Make certificates once."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def served(tmp_path: Path, certificates: Certificates) -> Iterator[Served]:
    """Give a server that is stopped after the test."""
    shutil.copytree(certificates.folder, tmp_path, dirs_exist_ok=True)
    served = Served(tmp_path)
    yield served
    served.server.stop()


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, bytes]]:
    """Give the passwords and hashes that bcrypt is asked about."""
    tried = []
    check = bcrypt.checkpw

    def recorded(word: bytes, hashed: bytes) -> bool:
        tried.append((word, hashed))
        return check(word, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", recorded)
    return tried


def test_everything_needs_a_password(served: Served) -> None:
    """Whether it exists or not, and by whatever method."""
    served.start(basic_auth_users={"alice": hash_of("secret")})
    paths = ("/metrics", "/", "/nowhere", "/-/healthy/", "//-/healthy", "/-/Healthy", "/-/reload")
    for path, method in itertools.product(paths, ("GET", "HEAD", "POST")):
        for headers in ({}, basic("alice", "wrong"), basic("bob", "secret"), {"Authorization": "Bearer secret"}):
            answer = served.get(path, headers, method=method)
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith("Basic ")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert served.get(path, basic("alice", "secret"), method=method).status != 401


def test_health_and_readiness_do_not(served: Served) -> None:
    """An orchestrator's probes have no password; and a wrong one does them no harm."""
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
        ("", "of nobody"),
        ("long", "x" * 72 + "whatever bcrypt does not read"),
    ],
)
def test_passwords_of_every_form(served: Served, name: str, password: str) -> None:
    """What bcrypt hashed is let in, and nothing near it."""
    served.start(basic_auth_users={name: hash_of(password[:72])})
    for _ in range(2):
        assert served.status(headers=basic(name, password)) == 200
    for wrong in ("", password[:-1], password[1:], password.swapcase()):
        if wrong[:72] != password[:72]:
            assert served.status(headers=basic(name, wrong)) == 401


def test_headers_that_say_nothing(served: Served) -> None:
    """They are no password, and break nothing."""
    served.start(basic_auth_users={"alice": hash_of("secret")})
    for header in ("Basic", "Basic !!!", "Basic YWxpY2U=", "Basic \xff", "basic  ", "Digest x", ":"):
        assert served.status(headers={"Authorization": header}) == 401


def test_unknown_users_cost_what_known_ones_do(served: Served, tried: list[tuple[bytes, bytes]]) -> None:
    """Whatever the costs: bcrypt works for both, on hashes of the same cost."""
    served.start(basic_auth_users={"alice": hash_of("secret", 5)})
    assert served.status(headers=basic("alice", "wrong")) == 401
    assert served.status(headers=basic("bob", "secret")) == 401
    assert len(tried) == 2
    assert [hashed[:7] for _, hashed in tried] == [b"$2b$05$"] * 2


def test_bcrypt_is_asked_once_for_a_user(served: Served, tried: list[tuple[bytes, bytes]]) -> None:
    """And again for every wrong password, and when the users change."""
    served.start(basic_auth_users={"alice": hash_of("secret")})
    for password in ("secret", "secret", "wrong", "wrong", "secret"):
        served.status(headers=basic("alice", password))
    assert [word for word, _ in tried] == [b"secret", b"wrong", b"wrong"]
    served.rewrite(basic_auth_users={"alice": hash_of("other")})
    assert served.web_config.look() == []
    assert [served.status(headers=basic("alice", password)) for password in ("secret", "other")] == [401, 200]
    assert [word for word, _ in tried[3:]] == [b"secret", b"other"]


def test_a_flood_of_wrong_passwords_delays_nobody(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was let in before is let in at once, probes are answered, bcrypt works once at a time, and most wait not."""
    served.start(basic_auth_users={"alice": hash_of("secret")})
    assert served.status(headers=basic("alice", "secret")) == 200
    at_once, most, gate = threading.Semaphore(1), [], threading.Event()

    def slow(_word: bytes, _hashed: bytes) -> bool:
        most.append(at_once.acquire(blocking=False))
        gate.wait(20)
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
    deadline = time.monotonic() + 10
    while len(statuses) < 20 - basic_auth.MAX_WAITING_OF_ONE and time.monotonic() < deadline:
        time.sleep(0.01)
    assert statuses == [429] * (20 - basic_auth.MAX_WAITING_OF_ONE)
    began = time.monotonic()
    assert served.status(headers=basic("alice", "secret")) == 200
    assert served.status("/-/healthy") == 200
    assert time.monotonic() - began < 2
    assert most == [True]
    gate.set()
    for client in flood:
        client.join(10)
    assert statuses[-basic_auth.MAX_WAITING_OF_ONE :] == [401] * basic_auth.MAX_WAITING_OF_ONE
    assert most == [True] * basic_auth.MAX_WAITING_OF_ONE


def test_addresses_take_turns(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes with a good password for the first time waits for one wrong one, however many are queued elsewhere."""
    served.start(basic_auth_users={"alice": hash_of("secret")})
    tried: list[bytes] = []
    turns = threading.Semaphore(0)

    def slow(word: bytes, _hashed: bytes) -> bool:
        tried.append(word)
        turns.acquire(timeout=20)
        return word == b"secret"

    monkeypatch.setattr(bcrypt, "checkpw", slow)
    statuses: dict[str, list[int]] = {"wrong": [], "secret": []}
    clients = []
    for source, password in (("127.0.0.1", "wrong"), ("127.0.0.2", "secret")):

        def ask(source: str = source, password: str = password) -> None:
            connection = http.client.HTTPConnection(*served.server.addresses[0], timeout=20, source_address=(source, 0))
            with closing(connection):
                connection.request("GET", "/metrics", headers=basic("alice", password))
                statuses[password].append(connection.getresponse().status)

        clients += [threading.Thread(target=ask) for _ in range(basic_auth.MAX_WAITING_OF_ONE + 1)]
        for client in clients[-basic_auth.MAX_WAITING_OF_ONE - 1 :]:
            client.start()
        eventually(partial(eq, statuses[password], [429]))  # the others wait
    turns.release(len(clients))
    for client in clients:
        client.join(20)
    assert tried[:2] == [b"wrong", b"secret"]
    assert tried[2:] == [b"wrong"] * 4
    assert statuses == {"wrong": [429] + [401] * 5, "secret": [429] + [200] * 5}


def test_reloads_wait_for_each_other(served: Served) -> None:
    """Whoever asks for them without end keeps one thread busy, and nobody from a scrape."""
    begun, gate = threading.Semaphore(0), threading.Event()

    def reload() -> list[str]:
        begun.release()
        gate.wait(20)
        return []

    served.reload = reload
    served.start()
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(served.get("/-/reload", method="POST").status)

    clients = [threading.Thread(target=ask) for _ in range(3)]
    for client in clients:
        client.start()
    assert begun.acquire(timeout=10)
    assert served.status() == 200
    assert not begun.acquire(timeout=0.5)
    gate.set()
    for client in clients:
        client.join(10)
    assert statuses == [200] * 3


def test_headers_are_on_every_answer(served: Served) -> None:
    """Refusals and errors too; a policy of content stands beside the page's own, and changes apply."""
    policy = {"Content-Security-Policy": "frame-ancestors 'self'", "X-Frame-Options": "sameorigin"}
    served.start(basic_auth_users={"alice": hash_of("secret")}, http_server_config={"headers": policy})
    known = basic("alice", "secret")
    big = served.get(method="POST", headers={**known, "Content-Length": "999999"})
    for answer in (served.get(), served.get(headers=known), served.get("/nowhere", known), served.get("/-/ready"), big):
        assert answer.headers["X-Frame-Options"] == "sameorigin"
        assert policy["Content-Security-Policy"] in answer.headers.get_all("Content-Security-Policy", [])
    policies = served.get("/", known).headers.get_all("Content-Security-Policy", [])
    assert len(policies) == 2
    assert any("default-src 'none'" in each for each in policies)
    served.rewrite(basic_auth_users={}, http_server_config={"headers": {"X-XSS-Protection": 0}})
    assert served.web_config.look() == []
    answer = served.get()
    assert (answer.status, answer.headers["X-XSS-Protection"], answer.headers["X-Frame-Options"]) == (200, "0", None)
    assert served.noted == ["applied"]


def test_a_rotated_certificate_applies(served: Served) -> None:
    """To new connections; those that are open end with their answer, so that nobody keeps the old one."""
    served.start(tls_server_config=TLS)
    with closing(served.connect()) as kept:
        kept.request("GET", "/metrics")
        assert kept.getresponse().read() == b"up 1\n"
        before = certificate_of(kept)
        Certificates(served.folder)
        assert served.web_config.look() == []
        assert kept.sock
        kept.sock.settimeout(5)
        assert kept.sock.recv(1) == b""  # an idle one ends at once
    with closing(served.connect()) as new:
        new.connect()
        assert certificate_of(new) != before
    assert served.noted == ["applied"]


def test_what_is_the_same_ends_no_connection(served: Served) -> None:
    """A changed password is no reason to shake hands again."""
    served.start(tls_server_config=TLS)
    with closing(served.connect()) as kept:
        kept.request("GET", "/metrics")
        assert kept.getresponse().read() == b"up 1\n"
        used = kept.sock
        served.rewrite(tls_server_config=TLS, basic_auth_users={"alice": hash_of("secret")})
        assert served.web_config.look() == []
        kept.request("GET", "/metrics", headers=basic("alice", "secret"))
        assert kept.getresponse().read() == b"up 1\n"
        assert kept.sock is used


def test_client_certificates_come_and_go(served: Served, tmp_path: Path) -> None:
    """What is required changes while the server runs, and so does the authority."""
    client = served.folder / "client.pem"
    served.start(tls_server_config=TLS)
    assert served.get().status == 200
    served.rewrite(tls_server_config=MUTUAL)
    assert served.web_config.look() == []
    with pytest.raises(ssl.SSLError, match="ALERT_CERTIFICATE_REQUIRED"):
        served.get()
    assert served.get(client=client).status == 200
    (tmp_path / "other").mkdir()
    other = Certificates(tmp_path / "other")
    shutil.copy(other.folder / "ca.crt", served.folder / "clients.crt")
    served.rewrite(tls_server_config={**MUTUAL, "client_ca_file": "clients.crt"})
    assert served.web_config.look() == []
    with pytest.raises(ssl.SSLError, match="ALERT_UNKNOWN_CA"):
        served.get(client=client)
    assert served.get(client=other.folder / "client.pem").status == 200


def test_a_client_of_another_name_is_let_go(served: Served) -> None:
    """It learns of it by the end of the connection."""
    served.start(tls_server_config={**MUTUAL, "client_allowed_sans": ["other.example.com"]})
    with pytest.raises((OSError, http.client.RemoteDisconnected)):
        served.get(client=served.folder / "client.pem")


def test_http_on_a_tls_port_is_told_so(served: Served) -> None:
    """The usual mistake, `scheme: https` forgotten, names itself."""
    served.start(tls_server_config=TLS)
    with closing(http.client.HTTPConnection(*served.server.addresses[0], timeout=5)) as connection:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (400, b"This port speaks TLS: write https:// for http://\n")


def test_a_bad_rewrite_changes_nothing_and_says_so_once(served: Served) -> None:
    """In the second look at it: in one alone, it may have been caught half written."""
    served.start(tls_server_config=TLS, basic_auth_users={"alice": hash_of("secret")})
    (served.folder / "web.yml").write_text("tls_server_config: {cert_file: server.crt, key_file: client.pem}\n")
    with capture_logs() as logs:
        assert [problem.message for problem in served.web_config.look()] == [
            "key_file: does not belong to the certificate"
        ]
        assert logs == []
        for _ in range(3):
            assert served.web_config.look()
    assert [(entry["log_level"], entry["event"]) for entry in logs] == [
        ("error", "web config not reread, the former is still in force")
    ]
    assert served.noted == ["refused"]
    assert [served.status(), served.status(headers=basic("alice", "secret"))] == [401, 200]
    with capture_logs() as logs:
        served.rewrite(tls_server_config=TLS, basic_auth_users={"bob": hash_of("secret")})
        assert served.web_config.look() == []
    assert [(entry["event"], entry["changed"]) for entry in logs] == [("web config reread", ["basic_auth_users"])]
    assert served.noted == ["refused", "applied"]
    assert served.status(headers=basic("bob", "secret")) == 200


def test_a_file_caught_half_written_says_nothing(served: Served) -> None:
    """A certificate that came before its key is no problem once the key is there."""
    served.start(tls_server_config=TLS)
    key = (served.folder / "server.key").read_bytes()
    with capture_logs() as logs:
        Certificates(served.folder)
        new = (served.folder / "server.key").read_bytes()
        (served.folder / "server.key").write_bytes(key)
        assert served.web_config.look()
        (served.folder / "server.key").write_bytes(new)
        assert served.web_config.look() == []
    assert [entry["event"] for entry in logs] == ["web config reread"]


def test_files_that_vanish_keep_what_was(served: Served) -> None:
    """And apply again when they are back."""
    served.start(tls_server_config=TLS)
    (served.folder / "server.key").rename(served.folder / "away")
    (problem,) = served.web_config.look()
    assert str(problem).endswith("server.key cannot be read: No such file or directory")
    assert served.get().status == 200
    (served.folder / "away").rename(served.folder / "server.key")
    assert served.web_config.look() == []
    (served.folder / "web.yml").unlink()
    (problem,) = served.web_config.look()
    assert str(problem).endswith("web.yml:1:1: cannot be read: No such file or directory")
    assert served.get().status == 200


@pytest.mark.parametrize(("before", "after"), [({}, {"tls_server_config": TLS}), ({"tls_server_config": TLS}, {})])
def test_tls_comes_and_goes_with_a_restart_alone(served: Served, before: dict[str, Any], after: dict[str, Any]) -> None:
    """A port speaks one or the other; the rest of such a file does not apply either."""
    served.start(**before)
    served.rewrite(**after, basic_auth_users={"alice": hash_of("secret")})
    (problem,) = served.web_config.look()
    assert problem.message == "tls_server_config: TLS is turned on and off with a restart alone"
    assert served.get().status == 200


def test_the_program_looks_by_itself(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every second."""
    monkeypatch.setattr("exporter.web.web_config.LOOK_EVERY", 0.01)
    served.start()
    applied = threading.Event()
    web_config = WebConfigReloader(served.folder / "web.yml")
    web_config.watch(lambda: None, applied.set, lambda: None)
    served.rewrite(basic_auth_users={"alice": hash_of("secret")})
    assert applied.wait(10)
    assert web_config.users
    web_config.stop()


def test_a_bad_file_is_no_beginning(tmp_path: Path) -> None:
    """Every problem is raised at once."""
    (tmp_path / "web.yml").write_text("a: 1\nb: 2\n")
    with pytest.raises(ConfigError) as refused:
        WebConfigReloader(tmp_path / "web.yml")
    assert len(refused.value.problems) == 2
