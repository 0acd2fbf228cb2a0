"""URLs of a database, as libpq reads them."""

from __future__ import annotations

import pytest
from psycopg import conninfo

from exporter.config import StateConfig


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("postgresql://exporter@db.internal/exporter?sslmode=verify-full", "db.internal"),
        ("postgres://exporter:hunter2@db:5432/exporter", "db"),
        ("postgresql://exporter:hunt%2Fer%402@db/exporter", "db"),
        ("postgresql://exporter:hunter?2@db/exporter", "db"),
        ("postgresql://a:5432,b:5433/exporter", "a,b"),
        ("postgresql://exporter@[2001:db8::1]:5432/exporter", "2001:db8::1"),
        ("postgresql://exporter@%2Frun%2Fpostgresql/exporter", "/run/postgresql"),
        ("postgresql:///exporter?host=/run/postgresql", "/run/postgresql"),
        ("postgresql://db?user=exporter&dbname=exporter", "db"),
    ],
)
def test_a_valid_url_is_accepted(url: str, host: str) -> None:
    """Libpq connects to the host that the operator has written."""
    assert StateConfig(url=url).url == url
    assert conninfo.conninfo_to_dict(url)["host"] == host
