"""The address of the database and the password: libpq parameters for each connection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import Error, conninfo

from exporter.errors import ProviderError, Reason, StartupError
from exporter.files import read_file
from exporter.store.postgresql.errors import UnavailableError

CONNECT_TIMEOUT = 4  # seconds for all hosts together; a stop during the first attempt waits for its end
MIN_CONNECT_TIMEOUT = 2  # seconds for one host, the minimum of libpq
_DEFAULTS = {
    "application_name": "qbusiness-exporter",
    "client_encoding": "utf8",
    "target_session_attrs": "read-write",
    # If the server disappears, a connection fails within seconds instead of hours.
    "keepalives_idle": 2,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 6000,
}
_TEMPORARY = {Reason.CONNECTION, Reason.TIMEOUT, Reason.SERVER_ERROR, Reason.THROTTLED}
_UNREACHED = {"CredentialRetrievalError", "MetadataRetrievalError"}  # a metadata service that did not respond

PasswordSource = Callable[[dict[str, Any]], str]
"""Returns a password for the parameters of a connection, such as an IAM token."""


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """A database: its URL, and the source of the password if it is not in the URL."""

    url: str
    password_file: str | None = None
    iam_auth: bool = False

    @property
    def address(self) -> str:
        """The URL without password and parameters, for readers."""
        scheme, _, rest = self.url.partition("://")
        credentials, at, place = rest.partition("@")
        if not at or "/" in credentials:  # a URL without credentials, as libpq reads it
            return f"{scheme}://{rest.partition('?')[0]}"
        return f"{scheme}://{credentials.partition(':')[0]}@{place.partition('?')[0]}"


def connection_parameters(settings: DatabaseSettings, token: PasswordSource) -> dict[str, Any]:
    """Return the libpq parameters of one connection. The password file is read, or a token is requested, each time.

    Raise StartupError for a URL or a file that cannot be used, and UnavailableError if AWS does not respond.
    """
    try:
        given = conninfo.conninfo_to_dict(settings.url)
    except (Error, ValueError) as error:
        # libpq quotes what it cannot parse, which may be the password.
        problem = str(error).partition('"')[0].strip(" :\n")
        raise StartupError(f"state.url is not a URL that libpq understands: {problem}") from None
    hosts = str(given.get("host") or "").count(",") + 1
    timeout = max(CONNECT_TIMEOUT // hosts, MIN_CONNECT_TIMEOUT)
    parameters: dict[str, Any] = {"connect_timeout": timeout, **_DEFAULTS, **given}
    if settings.password_file:
        parameters["password"] = _read_password(settings.password_file)
    if settings.iam_auth:
        parameters["password"] = _request_token(token, parameters)
    return parameters


def _read_password(path: str) -> str:
    try:
        return read_file(Path(path)).decode().rstrip("\r\n")
    except OSError as error:
        raise StartupError(f"state.password_file {path} cannot be read ({error.strerror}): make it readable") from error
    except UnicodeDecodeError as error:
        raise StartupError(f"state.password_file {path} is not UTF-8: save it as UTF-8") from error


def _request_token(token: PasswordSource, parameters: dict[str, Any]) -> str:
    try:
        return token(parameters)
    except ProviderError as error:
        kind = UnavailableError if error.reason in _TEMPORARY or error.code in _UNREACHED else StartupError
        raise kind(f"IAM token for the database not available: {error}") from error
