"""IAM policies, as far as they are needed to see whether one is enough: Allow statements with globs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy document; what no statement allows is denied."""

    document: dict[str, Any]

    def allows(self, action: str, resources: list[str]) -> bool:
        """Tell whether an action is allowed on every one of the resources that it needs."""
        return all(self._allows(action, resource) for resource in resources)

    def _allows(self, action: str, resource: str) -> bool:
        return any(
            statement["Effect"] == "Allow"
            and any(_matches(pattern, action) for pattern in _listed(statement["Action"]))
            and any(_matches(pattern, resource) for pattern in _listed(statement["Resource"]))
            for statement in self.document["Statement"]
        )


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _matches(pattern: str, text: str) -> bool:
    # A star spans slashes and colons, as it does in IAM.
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text) is not None
