"""The web config: TLS, passwords and headers of the web server, in the format of Prometheus's exporter-toolkit."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, StrictBool

from exporter.config.load import text_of, validated
from exporter.config.models import Section
from exporter.config.web_checks import cross_field_errors, find_warnings
from exporter.config.web_types import (
    CURVES,
    SUITES,
    BcryptHash,
    CipherSuite,
    ClientAuth,
    Curve,
    FileName,
    FrameOptions,
    HeaderText,
    Http2,
    NoSniff,
    Pem,
    RateLimit,
    San,
    TlsVersion,
    UserName,
)
from exporter.config.yaml_source import read
from exporter.errors import ConfigError, ConfigProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.yaml_source import Source

_HASH = re.compile(r"\$2\w?\$[0-9]*\$?[./A-Za-z0-9]*")
_QUOTED = re.compile(r"'(?!<)[^']{2,}'|\"[^\"]{2,}\"")
FILES = ("cert_file", "key_file", "client_ca_file")


class TlsConfig(Section):
    """How the server proves who it is, and what it asks of its clients."""

    cert: Pem | None = None
    key: Pem | None = Field(None, repr=False)
    client_ca: Pem | None = None
    cert_file: FileName | None = None
    key_file: FileName | None = None
    client_ca_file: FileName | None = None
    client_auth_type: ClientAuth = "NoClientCert"
    client_allowed_sans: tuple[San, ...] | None = None
    min_version: TlsVersion = "TLS12"
    max_version: TlsVersion = "TLS13"
    cipher_suites: tuple[CipherSuite, ...] = ()
    prefer_server_cipher_suites: StrictBool = True
    curve_preferences: tuple[Curve, ...] = ()

    @property
    def openssl_suites(self) -> str:
        """Give the suites for TLS 1.2 as OpenSSL writes them; empty for its own choice."""
        return ":".join(name for suite in self.cipher_suites if (name := SUITES[suite]))

    @property
    def openssl_curve(self) -> str:
        """Give the curve as OpenSSL writes it: where none is given, the one that every client has."""
        return CURVES[self.curve_preferences[0] if self.curve_preferences else "CurveP256"]


class HeadersConfig(Section):
    """Headers of every answer."""

    content_security_policy: HeaderText = Field("", alias="Content-Security-Policy")
    x_frame_options: FrameOptions | None = Field(None, alias="X-Frame-Options")
    x_content_type_options: NoSniff | None = Field(None, alias="X-Content-Type-Options")
    x_xss_protection: HeaderText = Field("", alias="X-XSS-Protection")
    strict_transport_security: HeaderText = Field("", alias="Strict-Transport-Security")

    @property
    def given(self) -> dict[str, str]:
        """Give those that have a value, by their names in HTTP."""
        return {name: value for name, value in self.model_dump(by_alias=True).items() if value}


class HttpConfig(Section):
    """How HTTP is spoken."""

    http2: Http2 = False
    headers: HeadersConfig = HeadersConfig()


class WebConfig(Section):
    """The whole web config."""

    tls_server_config: TlsConfig | None = None
    http_server_config: HttpConfig = HttpConfig()
    basic_auth_users: dict[UserName, BcryptHash] = Field(default_factory=dict, repr=False)
    rate_limit: RateLimit = Field(None, exclude=True)  # refused by name


@dataclass(frozen=True, slots=True)
class LoadedWeb:
    """A web config, what is unwise in it, the content of the files that it names, and where all of it stands."""

    config: WebConfig
    warnings: tuple[ConfigProblem, ...]
    contents: dict[str, bytes] = field(repr=False)
    source: Source = field(repr=False)

    def pem(self, key: str) -> bytes | None:
        """Give what was written in place, or the content of the file that was named; None for neither."""
        named, written = self.contents.get(f"{key}_file"), getattr(self.config.tls_server_config, key)
        return named if named is not None else written and written.encode()

    def problem(self, key: str, message: str) -> ConfigProblem:
        """Place a problem of tls_server_config at whichever of the two ways to give something was taken."""
        key = f"{key}_file" if f"{key}_file" in self.contents else key
        return self.source.problem(("tls_server_config", key), f"{key}: {message}")

    def has_tls_of(self, other: LoadedWeb) -> bool:
        """Tell whether TLS is the same in every respect, contents of files included."""
        return (self.config.tls_server_config, self.contents) == (other.config.tls_server_config, other.contents)


def load_web(path: Path, content: Callable[[Path], bytes] = Path.read_bytes) -> LoadedWeb:
    """Read a web config and the files it names; raises ConfigError with every problem, which never has a secret in it.

    `content` is how files are read.
    """
    try:
        source = read(text_of(path, content), str(path))
    except ConfigError as error:
        raise ConfigError([_without_quotes(problem) for problem in error.problems]) from None
    source.problems = [_without_quotes(problem) for problem in source.problems]
    contents, missing = _contents(source, path.parent, content)
    try:
        config = validated(WebConfig, source, [*cross_field_errors(source), *missing])
    except ConfigError as error:
        raise ConfigError([_without_hashes(problem) for problem in error.problems]) from None
    warnings = tuple(source.problem(where, message) for where, message in find_warnings(config.basic_auth_users))
    return LoadedWeb(config, warnings, contents, source)


def _without_quotes(problem: ConfigProblem) -> ConfigProblem:
    """Leave out what YAML's messages quote: it may be a password that somebody wrote where a hash belongs."""
    return replace(problem, message=_QUOTED.sub("'...'", problem.message))


def _without_hashes(problem: ConfigProblem) -> ConfigProblem:
    """Leave out a hash that stands where no hash belongs."""
    return replace(problem, message=_HASH.sub("(a hash)", problem.message))


def _contents(
    source: Source, folder: Path, content: Callable[[Path], bytes]
) -> tuple[dict[str, bytes], list[tuple[tuple[str, str], str]]]:
    """Read the files that are named, whatever else is wrong."""
    tls: Any = source.data.get("tls_server_config") if isinstance(source.data, dict) else None
    contents, missing = {}, []
    for key in FILES:
        name = tls.get(key) if isinstance(tls, dict) else None
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            continue
        try:
            contents[key] = content(folder / name)
        except OSError as error:
            missing.append((("tls_server_config", key), f"{key}: {folder / name} cannot be read: {error.strerror}"))
    return contents, missing
