"""The kinds of values that a web config has; each says what would be right when it is not."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Any

from exporter.config.messages import kind_of, quoted
from exporter.config.types import Validator

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Salts end in one of four characters, as only four bits of the last one count.
_BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")

VERSIONS = ("TLS12", "TLS13")
NO_CLIENT, IF_GIVEN, VERIFIED = "NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"
UNVERIFIED = "Python's TLS asks for no certificate that it does not verify"
UNSUPPORTED_AUTH = {
    "RequestClientCert": f"{UNVERIFIED}; write {IF_GIVEN}, or {NO_CLIENT}, which lets in the same clients",
    "RequireAnyClientCert": f"{UNVERIFIED}, and an unverified one proves nothing; write {VERIFIED}",
    "RequireClientCert": f"{UNVERIFIED}, and an unverified one proves nothing; write {VERIFIED}",
}
TLS13_SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
SUITES = {
    **dict.fromkeys(TLS13_SUITES, ""),  # always on, in Go as in OpenSSL
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
}
"""Go's names of cipher suites, and OpenSSL's."""

CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}


def _one_of(known: Iterable[str], refused: Mapping[str, str], right: str = "") -> Validator:
    """Make the kind of words from a closed set; `refused` says why others that the format has will not do."""
    known = tuple(known)
    right = right or " or ".join(known)

    def check(text: object) -> str:
        if isinstance(text, str) and text in known:
            return text
        if isinstance(text, str) and text in refused:
            raise ValueError(f"{text} is not supported: {refused[text]}")
        raise ValueError(f"{quoted(text)} is not known: write {right}")

    return Validator(check)


def _is_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{kind_of(value)} where text belongs")  # noqa: TRY004 (pydantic collects ValueErrors)
    if not value.strip():
        raise ValueError("empty: give it, or leave the key out")
    return value


def _file_name(text: object) -> str:
    if not _is_text(text).isprintable():
        raise ValueError(f"{quoted(text)} is not the name of a file")
    return str(text)


def _pem(text: object) -> str:
    if "-----BEGIN " not in _is_text(text):
        raise ValueError("not PEM, which begins with -----BEGIN; the key for the name of a file ends in _file")
    return str(text)


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"{kind_of(value)} where true or false belongs")


def _http2(value: object) -> bool:
    if _switch(value):
        raise ValueError("true is not supported: this server speaks HTTP/1.1, as every client does; leave the key out")
    return False


def _header(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # X-XSS-Protection: 0
    if not isinstance(value, str):
        raise ValueError(f"{kind_of(value)} where text belongs: write it in quotes")  # noqa: TRY004 (pydantic collects ValueErrors)
    if not value.isascii() or not value.isprintable():
        raise ValueError(f"{quoted(value)} cannot stand in a header: give printable ASCII on one line")
    return value.strip()


def _hash(text: object) -> str:
    if isinstance(text, str) and _BCRYPT.fullmatch(text):
        return text
    # Whatever stands there may be a password: it is not shown.
    raise ValueError('not a bcrypt hash: make one with htpasswd -nBC 10 "" and take what follows the colon')


def _user(name: object) -> str:
    if ":" in str(name):
        raise ValueError("a user name with a colon: in basic authentication the password begins there")
    return str(name)


def _rate_limit(_: object) -> None:
    raise ValueError("not supported: leave it out; scrapes are cheap here, and clients that stall are dropped")


def canonical(san: str) -> str:
    """Give a subject alternative name in the one way that names are compared in: addresses can be written in many."""
    try:
        return str(ip_address(san))
    except ValueError:
        return san


Pem = Annotated[str, Validator(_pem)]
FileName = Annotated[str, Validator(_file_name)]
ClientAuth = Annotated[str, _one_of((NO_CLIENT, IF_GIVEN, VERIFIED), UNSUPPORTED_AUTH)]
TlsVersion = Annotated[str, _one_of(VERSIONS, dict.fromkeys(("TLS10", "TLS11"), "it is broken; write TLS12 or TLS13"))]
CipherSuite = Annotated[str, _one_of(SUITES, {}, "one such as TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256")]
Curve = Annotated[str, _one_of(CURVES, {})]
San = Annotated[str, Validator(lambda text: canonical(_is_text(text)))]
Switch = Annotated[bool, Validator(_switch)]
Http2 = Annotated[bool, Validator(_http2)]
HeaderText = Annotated[str, Validator(_header)]
FrameOptions = Annotated[str, _one_of(("deny", "sameorigin"), {})]
NoSniff = Annotated[str, _one_of(("nosniff",), {})]
BcryptHash = Annotated[str, Validator(_hash)]
UserName = Annotated[str, Validator(_user)]
RateLimit = Annotated[Any, Validator(_rate_limit)]
