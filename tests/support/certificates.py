"""Certificates for tests: an authority and the certificates that it issues."""

from __future__ import annotations

import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trustme
from cryptography.hazmat.primitives import serialization

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Certificates:
    """A directory with server.crt, server.key, ca.crt and client.pem, issued by one authority."""

    folder: Path
    authority: trustme.CA = field(default_factory=trustme.CA)

    def __post_init__(self) -> None:
        """Issue all certificates."""
        self.authority.cert_pem.write_to_path(str(self.folder / "ca.crt"))
        self.issue_server()
        self.client("prometheus.example.com", "ops@example.com", "2001:db8::1", "10.0.0.1")

    def issue_server(self) -> None:
        """Write a new certificate and a new key of the server."""
        issued = self.authority.issue_cert("localhost", "127.0.0.1")
        (self.folder / "server.crt").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(self.folder / "server.key"))

    def client(self, *names: str, file: str = "client.pem") -> Path:
        """Write the certificate and the key of a client into one file, and return its path."""
        path = self.folder / file
        self.authority.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(str(path))
        return path

    def encrypt_key(self, file: str) -> None:
        """Write the key of the server into another file, encrypted with a password."""
        key = serialization.load_pem_private_key((self.folder / "server.key").read_bytes(), None)
        encryption = serialization.BestAvailableEncryption(b"secret")
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        (self.folder / file).write_bytes(key.private_bytes(*form))


def client_context(folder: Path, client: Path | None = None) -> ssl.SSLContext:
    """Return a client's TLS settings: it trusts the authority of a directory, and may have a certificate."""
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    if client:
        context.load_cert_chain(client)
    return context


def server_context(folder: Path) -> ssl.SSLContext:
    """Return the TLS settings of the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    return context


def client_hello(client: ssl.SSLContext) -> bytes:
    """Return the first message of a TLS client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        client.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()
