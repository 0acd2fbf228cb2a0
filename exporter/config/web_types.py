"""The types of values in a web config."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, GetPydanticSchema, StrictBool, StrictStr
from pydantic_core import core_schema

from exporter.config.messages import Expected
from exporter.domain.quoting import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# A salt ends in one of four characters, because only two bits of its last character are significant.
_BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")

VERSIONS = ("TLS12", "TLS13")
INSECURE_VERSION = "it is insecure; write TLS12 or TLS13"
NO_CLIENT, IF_GIVEN, VERIFIED = "NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"
UNVERIFIED = "Python's TLS does not request a certificate without verifying it"
UNSUPPORTED_AUTH = {
    "RequestClientCert": f"{UNVERIFIED}; write {IF_GIVEN}, or {NO_CLIENT}, which accepts the same clients",
    "RequireAnyClientCert": f"{UNVERIFIED}, and an unverified certificate proves nothing; write {VERIFIED}",
    "RequireClientCert": f"{UNVERIFIED}, and an unverified certificate proves nothing; write {VERIFIED}",
}
TLS13_SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
SUITES = {
    **dict.fromkeys(TLS13_SUITES, ""),  # always enabled, in Go and in OpenSSL
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
"""Cipher suites: their names in Go, and in OpenSSL."""

CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}


def _one_of(words: Iterable[str]) -> GetPydanticSchema:
    """Return an annotation like typing.Literal, for words from a constant."""
    return GetPydanticSchema(lambda _source, _handler: core_schema.literal_schema([*words]))


def _supported(reasons: Mapping[str, str]) -> BeforeValidator:
    """Return a validator that rejects words of the format that the server does not support, with the reason."""

    def check(word: object) -> object:
        if isinstance(word, str) and word in reasons:
            raise ValueError(f"{word} is not supported: {reasons[word]}")
        return word

    return BeforeValidator(check)


def _not_empty(text: str) -> str:
    if not text.strip():
        raise ValueError("empty: set a value, or omit the key")
    return text


def _file_name(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"{quoted(text)} is not a file name")
    return text


def _pem(text: str) -> str:
    if "-----BEGIN " not in text:
        raise ValueError(
            "not PEM, which begins with -----BEGIN: for the name of a file, use the key that ends in _file"
        )
    return text


def _http2(is_enabled: bool) -> bool:  # noqa: FBT001 (a value of the file)
    if is_enabled:
        raise ValueError("true is not supported: the server uses HTTP/1.1, which every client supports; omit the key")
    return False


def _number_as_text(value: object) -> object:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number else value  # X-XSS-Protection: 0


def _header(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise ValueError(f"{quoted(text)} is not a header value: write printable ASCII on one line")
    return text.strip()


def _hash(text: object) -> object:
    if isinstance(text, str) and _BCRYPT.fullmatch(text):
        return text
    # The message omits the value, which may be a password.
    raise ValueError('not a bcrypt hash: create one with htpasswd -nBC 10 "" and use the part after the colon')


def _user(name: str) -> str:
    if ":" in name:
        raise ValueError(
            "a user name cannot contain a colon: basic authentication uses it to separate name and password"
        )
    return name


def _rate_limit(_: object) -> None:
    raise ValueError("not supported: omit it; scrapes are cheap, and the server drops stalled clients")


def canonical(san: str) -> str:
    """Return a subject alternative name for comparison, with IP addresses in their canonical form."""
    try:
        return str(ip_address(san))
    except ValueError:
        return san


Text = Annotated[StrictStr, AfterValidator(_not_empty)]
Pem = Annotated[Text, AfterValidator(_pem)]
FileName = Annotated[Text, AfterValidator(_file_name)]
San = Annotated[Text, AfterValidator(canonical)]
ClientAuth = Annotated[str, _one_of((NO_CLIENT, IF_GIVEN, VERIFIED)), _supported(UNSUPPORTED_AUTH)]
TlsVersion = Annotated[str, _one_of(VERSIONS), _supported(dict.fromkeys(("TLS10", "TLS11"), INSECURE_VERSION))]
CipherSuite = Annotated[str, _one_of(SUITES), Expected("", "one such as TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256")]
Curve = Annotated[str, _one_of(CURVES)]
Http2 = Annotated[StrictBool, AfterValidator(_http2)]
HeaderText = Annotated[StrictStr, BeforeValidator(_number_as_text), AfterValidator(_header)]
FrameOptions = Literal["deny", "sameorigin"]
NoSniff = Literal["nosniff"]
BcryptHash = Annotated[str, BeforeValidator(_hash)]
UserName = Annotated[StrictStr, AfterValidator(_user)]
RateLimit = Annotated[Any, BeforeValidator(_rate_limit)]
