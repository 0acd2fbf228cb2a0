"""TLS contexts from a web config, which can be replaced while the server runs."""

from __future__ import annotations

import os
import ssl
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import structlog

from exporter.config import canonical_san
from exporter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.config import LoadedWeb, TlsConfig
    from exporter.errors import ConfigProblem

_VERIFY = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}

_BODY = "This port uses TLS: use https:// instead of http://\n"
USE_HTTPS = f"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: {len(_BODY)}\r\n\r\n{_BODY}".encode()

logger = structlog.get_logger()


class Handshake(ssl.SSLObject):
    """The TLS of one connection, which also checks the names in the client's certificate.

    If a handshake fails, asyncio closes the connection without sending the TLS alert with the reason. To make asyncio
    send the alert, `do_handshake` first requests more data, and raises the error when it is called again.

    The error is kept without its traceback, which refers to the frames of the handshake, which refer to the session.
    Otherwise each rejected client would cost the memory of a session until the next garbage collection.
    """

    outgoing: ssl.MemoryBIO | None = None
    _failure: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        """Continue the handshake; raise SSLError if it fails or if the client is not allowed."""
        if self._failure:
            raise self._failure
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self._failure = error.with_traceback(None)
            self._report(error)
            raise ssl.SSLWantReadError from error
        self._check_client_names()

    def _report(self, error: ssl.SSLError) -> None:
        logger.debug("TLS handshake failed", reason=getattr(error, "verify_message", error.reason))
        if error.reason == "HTTP_REQUEST" and self.outgoing:
            self.outgoing.write(USE_HTTPS)

    def _check_client_names(self) -> None:
        allowed = getattr(self.context, "allowed_sans", None)
        if allowed is None:
            return
        certificate: dict[str, Any] = self.getpeercert() or {}
        names = {canonical_san(name) for _, name in certificate.get("subjectAltName", ()) if isinstance(name, str)}
        if not names & allowed:
            logger.debug("TLS handshake failed", reason="none of client_allowed_sans", found=sorted(names))
            raise ssl.SSLCertVerificationError("the client's certificate has none of client_allowed_sans")


class TlsContext(ssl.SSLContext):
    """The TLS settings of one version of a web config."""

    sslobject_class = Handshake
    allowed_sans: frozenset[str] | None = None

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **kwargs: Any) -> ssl.SSLObject:  # noqa: ANN401 (the interface of ssl)
        """Return the TLS of a new connection."""
        handshake = super().wrap_bio(incoming, outgoing, *args, **kwargs)
        handshake.outgoing = outgoing  # type: ignore[attr-defined]  # because of `sslobject_class`
        return handshake


class CurrentContext(ssl.SSLContext):
    """A context that uses the current settings for each new connection. The settings can be replaced."""

    current: ssl.SSLContext

    def __new__(cls, current: ssl.SSLContext) -> Self:
        """Return a context with these settings."""
        context = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        context.current = current
        return context

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:  # noqa: ANN401 (the interface of ssl)
        """Return the TLS of a new connection, with the current settings."""
        return self.current.wrap_bio(*args, **kwargs)


def context_of(loaded: LoadedWeb) -> TlsContext | None:
    """Return the context for a web config, None without TLS; raise ConfigError with every problem."""
    tls = loaded.config.tls_server_config
    if tls is None or not tls.model_fields_set:
        return None
    context = TlsContext(ssl.PROTOCOL_TLS_SERVER)
    problems = [
        *_load_certificate(context, loaded),
        *_set_client_verification(context, loaded, tls),
        *_set_ciphers(context, loaded, tls),
    ]
    if problems:
        raise ConfigError(sorted(problems))
    context.minimum_version, context.maximum_version = _VERSIONS[tls.min_version], _VERSIONS[tls.max_version]
    context.options |= ssl.OP_NO_RENEGOTIATION  # a renegotiation costs the server more than the client
    if not tls.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load_certificate(context: TlsContext, loaded: LoadedWeb) -> Iterator[ConfigProblem]:
    """Load the certificate and the key of the server."""
    certificate, key = loaded.pem("cert") or b"", loaded.pem("key") or b""
    if problem := _certificate_problem(certificate):
        yield loaded.problem("cert", problem)
        return
    with _temporary_file(certificate) as cert_path, _temporary_file(key) as key_path:
        try:
            context.load_cert_chain(cert_path, key_path, _refuse_password)
        except ssl.SSLError as error:
            # OpenSSL reports a reason for these errors, but none for a key that it cannot read.
            if error.reason == "KEY_VALUES_MISMATCH":
                yield loaded.problem("key", "does not belong to the certificate")
            elif error.reason in {"EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"}:
                yield loaded.problem("cert", f"too weak: {error.reason.lower().replace('_', ' ')}")
            else:
                yield loaded.problem("key", "contains no readable PEM private key")
        except _EncryptedKeyError:
            yield loaded.problem("key", "the key is encrypted, and the server cannot ask for its password: decrypt it")


def _set_client_verification(context: TlsContext, loaded: LoadedWeb, tls: TlsConfig) -> Iterator[ConfigProblem]:
    """Set whether clients need a certificate, and which authority must have issued it."""
    context.verify_mode = _VERIFY[tls.client_auth_type]
    if tls.client_allowed_sans is not None:
        context.allowed_sans = frozenset(tls.client_allowed_sans)
    authority = loaded.pem("client_ca")
    if authority is None:
        return
    if problem := _certificate_problem(authority):
        yield loaded.problem("client_ca", problem)
        return
    # As in Go, an intermediate authority can be trusted without its root.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    with _temporary_file(authority) as path:
        context.load_verify_locations(path)


def _set_ciphers(context: TlsContext, loaded: LoadedWeb, tls: TlsConfig) -> Iterator[ConfigProblem]:
    """Set the cipher suites and the curve."""
    try:
        if tls.openssl_suites:
            context.set_ciphers(tls.openssl_suites)
    except ssl.SSLError:
        yield loaded.problem("cipher_suites", "the OpenSSL library of this host supports none of them")
    try:
        # OpenSSL's default includes groups of 8192 bits, with which 70 handshakes a second would block the server.
        context.set_ecdh_curve(tls.openssl_curve)
    except ValueError:
        yield loaded.problem("curve_preferences", "the OpenSSL library of this host does not support it")


def _certificate_problem(content: bytes) -> str:
    """Return why a PEM file has no certificates; empty if it has."""
    scratch = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        with _temporary_file(content) as path:
            scratch.load_verify_locations(path)
    except ssl.SSLError:
        return "contains no readable PEM certificate"
    return ""


class _EncryptedKeyError(Exception):
    pass


def _refuse_password() -> str:
    raise _EncryptedKeyError  # without this callback, OpenSSL would ask for the password on the terminal


@contextmanager
def _temporary_file(content: bytes) -> Iterator[str]:
    """Yield the path of a file with this content, on Linux in memory: ssl loads keys only from files."""
    if sys.platform == "linux":
        with os.fdopen(os.memfd_create("pem"), "wb") as file:
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile() as file:  # its mode is 0600
            file.write(content)
            file.flush()
            yield file.name
