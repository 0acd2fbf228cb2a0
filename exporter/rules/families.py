"""The metric families that the shipped rules need."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.rules.options import SERVICES, RuleOptions
from exporter.rules.renderer import RuleRenderer

if TYPE_CHECKING:
    from collections.abc import Iterable

_RULE = re.compile(r"^ *- (?:alert|record): (\S+)$", re.MULTILINE)
_EXPRESSION = re.compile(
    r"^ *expr:(.*?)(?=^ *(?:for|keep_firing_for|labels|annotations):|\Z)", re.MULTILINE | re.DOTALL
)
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_SUFFIXES = ("", "_bucket", "_count", "_sum")  # of the samples of a family


def rules_by_family(families: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of the alerts and recording rules of all services that need each of these families."""
    found: dict[str, list[str]] = {family: [] for family in families}
    documents = (RuleRenderer(RuleOptions(service=service)).document() for service in SERVICES)
    _, *parts = _RULE.split("".join(documents))
    for rule, text in zip(parts[::2], parts[1::2], strict=True):
        used = {name for expression in _EXPRESSION.findall(text) for name in _NAME.findall(expression)}
        for family, rules in found.items():
            if rule not in rules and any(f"{family}{suffix}" in used for suffix in _SUFFIXES):
                rules.append(rule)
    return {family: rules for family, rules in found.items() if rules}
