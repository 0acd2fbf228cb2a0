"""The address of the database and the token for each connection."""

from __future__ import annotations

import pytest

from exporter.errors import ProviderError, Reason, StartupError
from exporter.store.postgresql import DatabaseSettings
from exporter.store.postgresql.errors import UnavailableError
from exporter.store.postgresql.url import connection_parameters


def test_each_connection_requests_a_token_of_its_own() -> None:
    """An IAM token is valid for 15 minutes."""
    tokens = iter(["first", "second"])
    settings = DatabaseSettings("postgresql://exporter@db.internal/exporter", iam_auth=True)
    passwords = [connection_parameters(settings, lambda _: next(tokens))["password"] for _ in range(2)]
    assert passwords == ["first", "second"]


@pytest.mark.parametrize(
    ("reason", "expected"), [(Reason.CONNECTION, UnavailableError), (Reason.ACCESS_DENIED, StartupError)]
)
def test_a_token_that_aws_does_not_return_is_waited_for_unless_it_refuses(
    reason: Reason, expected: type[Exception]
) -> None:
    """STS may be unreachable when the exporter starts, as the database may be."""

    def fail(_: object) -> str:
        raise ProviderError(reason, "no token")

    settings = DatabaseSettings("postgresql://exporter@db.internal/exporter", iam_auth=True)
    with pytest.raises(expected, match="IAM token for the database not available: no token"):
        connection_parameters(settings, fail)


def test_the_address_has_neither_password_nor_parameters() -> None:
    """It is on the status page and in the log."""
    urls = {
        "postgresql://exporter:hunter2@db:5432/exporter?password=hunter2": "postgresql://exporter@db:5432/exporter",
        "postgresql://db/exporter": "postgresql://db/exporter",
        "postgresql:///exporter?host=/run/postgresql": "postgresql:///exporter",
        "postgresql://exporter:hunter?2@db/exporter": "postgresql://exporter@db/exporter",
        "postgresql://db?user=exporter": "postgresql://db",
    }
    assert {url: DatabaseSettings(url).address for url in urls} == urls
