"""The tables of invalid configurations in tests/data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from exporter.providers.registry import SERVICES

DATA = Path(__file__).parents[1] / "data"


@dataclass(frozen=True, slots=True)
class InvalidConfig:
    """An invalid configuration, and every problem that is reported for it, as line:column: message."""

    name: str
    text: str
    problems: list[str]


def invalid_configs(file: str) -> list[InvalidConfig]:
    """Return the rows of a table, with the names of the services instead of their placeholders."""
    text = (DATA / file).read_text()
    text = text.replace("{a service}", " or ".join(SERVICES)).replace("{all services}", ", ".join(SERVICES))
    rows = (row.partition("\n") for row in text.split("### ")[1:])
    parts = ((name, *row.rpartition("---\n")[::2]) for name, _, row in rows)
    return [InvalidConfig(name, text, problems.strip().splitlines()) for name, text, problems in parts]
