"""The kinds of values that a web config has; each says what would be right when it is not."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, GetPydanticSchema, StrictBool, StrictStr
from pydantic_core import core_schema

from exporter.config.messages import Expected, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Salts end in one of four characters, as only four bits of the last one count.
_BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")

VERSIONS = ("TLS12", "TLS13")
INSECURE_VERSION = "it is broken; write TLS12 or TLS13"
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


def _one_of(words: Iterable[str]) -> GetPydanticSchema:
    """Return the annotation of a closed set of words, as typing.Literal does for words that are written out."""
    return GetPydanticSchema(lambda _source, _handler: core_schema.literal_schema([*words]))


def _supported(refused: Mapping[str, str]) -> BeforeValidator:
    """Return a validator that refuses words that the format has and the server cannot do, each with its reason."""

    def check(word: object) -> object:
        if isinstance(word, str) and word in refused:
            raise ValueError(f"{word} is not supported: {refused[word]}")
        return word

    return BeforeValidator(check)


def _not_empty(text: str) -> str:
    if not text.strip():
        raise ValueError("empty: give it, or leave the key out")
    return text


def _file_name(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"{quoted(text)} is not the name of a file")
    return text


def _pem(text: str) -> str:
    if "-----BEGIN " not in text:
        raise ValueError("not PEM, which begins with -----BEGIN; the key for the name of a file ends in _file")
    return text


def _http2(is_on: bool) -> bool:  # noqa: FBT001 (a value of the file)
    if is_on:
        raise ValueError("true is not supported: this server speaks HTTP/1.1, as every client does; leave the key out")
    return False


def _number_as_text(value: object) -> object:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number else value  # X-XSS-Protection: 0


def _header(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise ValueError(f"{quoted(text)} cannot stand in a header: give printable ASCII on one line")
    return text.strip()


def _hash(text: object) -> object:
    if isinstance(text, str) and _BCRYPT.fullmatch(text):
        return text
    # The value may be a password: the message omits it.
    raise ValueError('not a bcrypt hash: make one with htpasswd -nBC 10 "" and take what follows the colon')


def _user(name: str) -> str:
    if ":" in name:
        raise ValueError("a user name with a colon: in basic authentication the password begins there")
    return name


def _rate_limit(_: object) -> None:
    raise ValueError("not supported: leave it out; scrapes are cheap here, and clients that stall are dropped")


def canonical(san: str) -> str:
    """Give a subject alternative name in the one way that names are compared in: addresses can be written in many."""
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
