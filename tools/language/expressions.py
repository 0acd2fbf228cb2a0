"""The tables of rules.toml, and the search for its expressions."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from tools.language.text import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

_TABLES = tomllib.loads(Path(__file__).with_name("rules.toml").read_text(encoding="utf-8"))
DOCSTRING_VERBS: dict[str, str] = _TABLES["docstring_verbs"]
CLAUSES = frozenset(_TABLES["first_words"]["clauses"].split())
NOT_VERBS = CLAUSES.union(_TABLES["first_words"]["not_verbs"].split())
_ADVICE: list[str] = list(_TABLES["expressions"].values())
# One pattern with a group for each expression: much faster than one search for each.
_ANY = re.compile(
    r"\b(?:" + "|".join(f"({pattern})" for pattern in _TABLES["expressions"]).replace(" ", r"\s+") + r")\b",
    re.IGNORECASE,
)


def check_expressions(prose: str) -> Iterator[Finding]:
    """Yield the expressions to replace."""
    for match in _ANY.finditer(prose):
        advice = _ADVICE[(match.lastindex or 0) - 1]
        yield Finding(match.start(), f"'{' '.join(match[0].split())}': {advice}")
