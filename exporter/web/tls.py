"""TLS as a web config asks for it, in a context that can be replaced while the server runs."""

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

_BODY = "This port speaks TLS: write https:// for http://\n"
USE_HTTPS = f"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: {len(_BODY)}\r\n\r\n{_BODY}".encode()

logger = structlog.get_logger()


class Handshake(ssl.SSLObject):
    """A connection's TLS, which also looks at who the client says it is, and tells it why it is refused."""

    outgoing: ssl.MemoryBIO | None = None
    _refusal: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        """Shake hands; raises SSLError when that fails, or the client is not among those allowed."""
        if self._refusal:
            raise self._refusal
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self._refusal = error
            self._say_why(error)
            # asyncio sends what there is to send, the alert, when more is to come, and nothing when it is over.
            raise ssl.SSLWantReadError from error
        self._look_at_client()

    def _say_why(self, error: ssl.SSLError) -> None:
        logger.debug("TLS handshake failed", reason=getattr(error, "verify_message", error.reason))
        if error.reason == "HTTP_REQUEST" and self.outgoing:
            self.outgoing.write(USE_HTTPS)

    def _look_at_client(self) -> None:
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

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **kwargs: Any) -> ssl.SSLObject:  # noqa: ANN401 (ssl's)
        """Begin a connection."""
        handshake = super().wrap_bio(incoming, outgoing, *args, **kwargs)
        handshake.outgoing = outgoing  # type: ignore[attr-defined]  # it is a Handshake
        return handshake


class CurrentContext(ssl.SSLContext):
    """A context for a server to keep, whose handshakes begin with whatever settings are in force then."""

    current: ssl.SSLContext

    def __new__(cls, current: ssl.SSLContext) -> Self:
        """Begin with some settings."""
        context = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        context.current = current
        return context

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:  # noqa: ANN401 (ssl's)
        """Begin a connection."""
        return self.current.wrap_bio(*args, **kwargs)


def context_of(loaded: LoadedWeb) -> TlsContext | None:
    """Make the context that a web config asks for, None for no TLS; raises ConfigError with every problem."""
    tls = loaded.config.tls_server_config
    if tls is None or not tls.model_fields_set:
        return None
    context = TlsContext(ssl.PROTOCOL_TLS_SERVER)
    problems = [*_identify(context, loaded), *_trust(context, loaded, tls), *_choose(context, loaded, tls)]
    if problems:
        raise ConfigError(sorted(problems))
    context.minimum_version, context.maximum_version = _VERSIONS[tls.min_version], _VERSIONS[tls.max_version]
    context.options |= ssl.OP_NO_RENEGOTIATION  # which costs the server more than the client
    if not tls.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    return context


def _identify(context: TlsContext, loaded: LoadedWeb) -> Iterator[ConfigProblem]:
    """Load certificate and key."""
    certificate, key = loaded.pem("cert") or b"", loaded.pem("key") or b""
    if problem := _trouble_with_certificates(certificate):
        yield loaded.problem("cert", problem)
        return
    with _file_of(certificate) as cert_path, _file_of(key) as key_path:
        try:
            context.load_cert_chain(cert_path, key_path, _no_password)
        except ssl.SSLError as error:
            # OpenSSL names what is wrong here, and nothing where it cannot read the key.
            if error.reason == "KEY_VALUES_MISMATCH":
                yield loaded.problem("key", "does not belong to the certificate")
            elif error.reason in {"EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"}:
                yield loaded.problem("cert", f"too weak: {error.reason.lower().replace('_', ' ')}")
            else:
                yield loaded.problem("key", "contains no readable PEM private key")
        except _EncryptedKeyError:
            yield loaded.problem("key", "the key is encrypted, and the server cannot ask for its password: decrypt it")


def _trust(context: TlsContext, loaded: LoadedWeb, tls: TlsConfig) -> Iterator[ConfigProblem]:
    """Set whether clients need a certificate, and of whom."""
    context.verify_mode = _VERIFY[tls.client_auth_type]
    if tls.client_allowed_sans is not None:
        context.allowed_sans = frozenset(tls.client_allowed_sans)
    authority = loaded.pem("client_ca")
    if authority is None:
        return
    if problem := _trouble_with_certificates(authority):
        yield loaded.problem("client_ca", problem)
        return
    # As in Go, an intermediate authority may be trusted by itself.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    with _file_of(authority) as path:
        context.load_verify_locations(path)


def _choose(context: TlsContext, loaded: LoadedWeb, tls: TlsConfig) -> Iterator[ConfigProblem]:
    """Set the cipher suites and the curve."""
    try:
        if tls.openssl_suites:
            context.set_ciphers(tls.openssl_suites)
    except ssl.SSLError:
        yield loaded.problem("cipher_suites", "this host's OpenSSL has none of them")
    try:
        # OpenSSL's own choice has groups of 8192 bits, of which 70 handshakes a second keep the server from all else.
        context.set_ecdh_curve(tls.openssl_curve)
    except ValueError:
        yield loaded.problem("curve_preferences", "this host's OpenSSL does not have it")


def _trouble_with_certificates(content: bytes) -> str:
    scratch = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        with _file_of(content) as path:
            scratch.load_verify_locations(path)
    except ssl.SSLError:
        return "contains no readable PEM certificate"
    return ""


class _EncryptedKeyError(Exception):
    pass


def _no_password() -> str:
    raise _EncryptedKeyError  # without this, OpenSSL asks on the terminal


@contextmanager
def _file_of(content: bytes) -> Iterator[str]:
    """Lend content as a file, which is all that OpenSSL's loading through Python takes: in memory where that can be."""
    if sys.platform == "linux":
        with os.fdopen(os.memfd_create("pem"), "wb") as file:
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile() as file:  # nobody else may read it
            file.write(content)
            file.flush()
            yield file.name
