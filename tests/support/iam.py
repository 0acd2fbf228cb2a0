"""IAM policies, as far as tests need them to prove that a policy is sufficient: Allow statements with wildcards."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy document. What no statement allows is denied."""

    document: dict[str, Any]

    def allows(self, action: str, resources: list[str]) -> bool:
        """Return whether an action is allowed on all of these resources."""
        return all(self._allows(action, resource) for resource in resources)

    def reduced(self) -> Iterator[Policy]:
        """Yield the policy without one of its actions, then without one of its resources, for each of them."""
        for number, statement in enumerate(self.document["Statement"]):
            for key in ("Action", "Resource"):
                for position in range(len(statement[key])):
                    less = copy.deepcopy(self.document)
                    del less["Statement"][number][key][position]
                    yield Policy(less)

    def _allows(self, action: str, resource: str) -> bool:
        return any(
            statement["Effect"] == "Allow"
            and any(_matches(pattern, action) for pattern in _as_list(statement["Action"]))
            and any(_matches(pattern, resource) for pattern in _as_list(statement["Resource"]))
            for statement in self.document["Statement"]
        )


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _matches(pattern: str, text: str) -> bool:
    # As in IAM, an asterisk also matches slashes and colons.
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text) is not None
