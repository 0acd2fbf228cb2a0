"""Errors of the database: some need the operator, and others may disappear after a retry."""

from __future__ import annotations

import re

import psycopg

from exporter.errors import StartupError


class RefusedError(StartupError):
    """The database rejects this program until the operator changes something."""


class MissingTableError(RefusedError):
    """A table is missing. It may have been there before."""


class UnavailableError(Exception):
    """The database cannot be reached, or did not respond in time."""


class RejectedError(UnavailableError):
    """The database works, and has rejected a statement. Example: another session has locked the rows."""


_STANDBY = "use the address of the primary, not of a standby"
# For a connection that the server rejects, libpq has no SQLSTATE, but only the message of the server.
_REFUSALS = (
    (r"authentication failed|no password supplied|no such user|SASL", "check the user and the password"),
    (r"no pg_hba.conf entry|pg_hba.conf rejects", "allow the user, the address and the encryption in pg_hba.conf"),
    (r'database ".*" does not exist|no such database', "create the database"),
    (r'role ".*" does not exist', "create the role"),
    (r"is not permitted to log in|permission denied", "grant the role LOGIN, and CONNECT on the database"),
    (r"session is read-only|hot standby|read-only", _STANDBY),
    (r"does not support SSL", "configure TLS on the server, or another sslmode"),
    (r"certificate|root.crt", "check sslrootcert, and that the certificate has the name of the host"),
)
_REFUSED_STATES = {
    "42501": "grant the role CREATE on its schema, or make it the owner of the tables",
    "3F000": "create the schema, or change the search_path of the role",
    "25006": _STANDBY,
    "42P07": "use an empty database or schema, because these tables belong to another program",
    "42P01": "use an empty database or schema, because some of the tables are missing",
    "42703": "use an empty database or schema, because these tables belong to another program",
}
# The connection fails, the server stops or starts, or it has ended a session that was idle in a transaction.
_CONNECTION_STATES = ("08", "57P", "25P03")


def translate(address: str, error: Exception) -> RefusedError | UnavailableError:
    """Return the error of this program for an error of psycopg."""
    text = " ".join(str(error).split())
    advice = _REFUSED_STATES.get(getattr(error, "sqlstate", None) or "")
    if isinstance(error, psycopg.errors.ProtocolViolation) and "statement pooling mode" in text:
        advice = "configure PgBouncer with pool_mode session or transaction"
    if advice is None and isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        advice = _find_advice(text)
    if advice:
        refusal = MissingTableError if isinstance(error, psycopg.errors.UndefinedTable) else RefusedError
        return refusal(f"database {address} refuses the exporter ({text}): {advice}")
    kind = RejectedError if is_rejection(error) else UnavailableError
    return kind(text or type(error).__name__)


def _find_advice(text: str) -> str | None:
    """Return the advice for a connection that was rejected; None if it may succeed later.

    If the URL has several hosts, and one of those that can be reached is a standby, the primary may be another one. It
    is starting, or the standby will be promoted.
    """
    advice = next((advice for pattern, advice in _REFUSALS if re.search(pattern, text)), None)
    if advice != _STANDBY:
        return advice
    refused: dict[str, bool] = {}
    for attempt in text.split(" - host: ")[1:]:
        host, _, error = attempt.partition(", hostaddr: ")
        refused[host] = refused.get(host, False) or _find_advice(error) is not None
    return advice if all(refused.values()) else None


def is_rejection(error: Exception) -> bool:
    """Return whether the server has rejected a statement, but continues to work."""
    state: str | None = getattr(error, "sqlstate", None)
    return state is not None and not state.startswith(_CONNECTION_STATES)
