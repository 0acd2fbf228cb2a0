"""The web config: TLS, basic authentication and headers, in the format of the exporter-toolkit of Prometheus."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pydantic import Field, StrictBool

from exporter.config.load import read_text, validated
from exporter.config.section import Section
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
from exporter.files import read_file
from exporter.redaction import REDACTED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.config.checks import Finding
    from exporter.config.yaml_source import Source

_HASH = re.compile(rf"\$2\w?\$[0-9]*\$?[./A-Za-z0-9]*|'{REDACTED}'")  # messages have a complete hash as REDACTED
_QUOTED = re.compile(r"'(?!<)[^']{2,}'|\"[^\"]{2,}\"")
FILES = ("cert_file", "key_file", "client_ca_file")


class TlsConfig(Section):
    """The certificate of the server, and its requirements for clients."""

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
        """Return the cipher suites for TLS 1.2 in the format of OpenSSL; empty selects its defaults."""
        return ":".join(name for suite in self.cipher_suites if (name := SUITES[suite]))

    @property
    def openssl_curve(self) -> str:
        """Return the OpenSSL name of the curve; the default is the one that every client supports."""
        return CURVES[self.curve_preferences[0] if self.curve_preferences else "CurveP256"]


class HeadersConfig(Section):
    """Headers of every response."""

    content_security_policy: HeaderText = Field("", alias="Content-Security-Policy")
    x_frame_options: FrameOptions | None = Field(None, alias="X-Frame-Options")
    x_content_type_options: NoSniff | None = Field(None, alias="X-Content-Type-Options")
    x_xss_protection: HeaderText = Field("", alias="X-XSS-Protection")
    strict_transport_security: HeaderText = Field("", alias="Strict-Transport-Security")

    @property
    def configured(self) -> dict[str, str]:
        """Return the headers that have a value, by name."""
        return {name: value for name, value in self.model_dump(by_alias=True).items() if value}


class HttpConfig(Section):
    """Settings of HTTP."""

    http2: Http2 = False
    headers: HeadersConfig = HeadersConfig()


class WebConfig(Section):
    """The whole web config."""

    tls_server_config: TlsConfig | None = None
    http_server_config: HttpConfig = HttpConfig()
    basic_auth_users: dict[UserName, BcryptHash] = Field(default_factory=dict, repr=False)
    rate_limit: RateLimit = Field(None, exclude=True)  # rejected with a message


@dataclass(frozen=True, slots=True)
class LoadedWeb:
    """A web config, with warnings, the contents of the files that it names, and the positions in its own file."""

    config: WebConfig
    warnings: tuple[ConfigProblem, ...]
    contents: dict[str, bytes] = field(repr=False)
    source: Source = field(repr=False)

    def pem(self, key: str) -> bytes | None:
        """Return the PEM data of a key, inline or from a file; None if it has neither."""
        from_file, inline = self.contents.get(f"{key}_file"), getattr(self.config.tls_server_config, key)
        return from_file if from_file is not None else inline and inline.encode()

    def problem(self, key: str, message: str) -> ConfigProblem:
        """Return a problem at a key of tls_server_config, or at the corresponding _file key if the file has that."""
        key = f"{key}_file" if f"{key}_file" in self.contents else key
        return self.source.problem(("tls_server_config", key), f"{key}: {message}")

    def has_tls_of(self, other: LoadedWeb) -> bool:
        """Return whether the TLS settings are equal, including the contents of files."""
        return (self.config.tls_server_config, self.contents) == (other.config.tls_server_config, other.contents)


def load_web(path: Path, read_bytes: Callable[[Path], bytes] = read_file) -> LoadedWeb:
    """Load a web config and the files that it names; raise ConfigError with every problem.

    No problem contains a value that may be a secret, such as a password in the place of a hash.
    """
    try:
        source = read(read_text(path, read_bytes), str(path))
    except ConfigError as error:
        raise ConfigError([_without_quotes(problem) for problem in error.problems]) from None
    source.problems = [_without_quotes(problem) for problem in source.problems]
    contents, unreadable = _contents(source, path.parent, read_bytes)
    try:
        config = validated(WebConfig, source, [*cross_field_errors(source), *unreadable])
    except ConfigError as error:
        raise ConfigError([_without_hashes(problem) for problem in error.problems]) from None
    warnings = tuple(source.problem(where, message) for where, message in find_warnings(config.basic_auth_users))
    return LoadedWeb(config, warnings, contents, source)


def _without_quotes(problem: ConfigProblem) -> ConfigProblem:
    """Remove quotations from messages of the YAML parser, because they may be passwords."""
    return replace(problem, message=_QUOTED.sub("'...'", problem.message))


def _without_hashes(problem: ConfigProblem) -> ConfigProblem:
    """Remove hashes, which appear in messages if they are in the wrong place."""
    return replace(problem, message=_HASH.sub("(a hash)", problem.message))


def _contents(
    source: Source, folder: Path, read_bytes: Callable[[Path], bytes]
) -> tuple[dict[str, bytes], list[Finding]]:
    """Return the contents of the named files, and a finding for each file that cannot be read.

    It reads plain data, so that it also works when other values are invalid.
    """
    tls: Any = source.data.get("tls_server_config") if isinstance(source.data, dict) else None
    contents: dict[str, bytes] = {}
    unreadable: list[Finding] = []
    for key in FILES:
        name = tls.get(key) if isinstance(tls, dict) else None
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            continue
        try:
            contents[key] = read_bytes(folder / name)
        except OSError as error:
            unreadable.append((("tls_server_config", key), f"{key}: {folder / name} cannot be read: {error.strerror}"))
    return contents, unreadable
