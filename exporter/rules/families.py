"""The metric families that the shipped rules need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.rules.options import RuleOptions
from exporter.rules.renderer import RuleRenderer
from exporter.rules.series import names_by_rule, sample_names

if TYPE_CHECKING:
    from collections.abc import Iterable


def rules_by_family(families: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of the rules of all services that need each of these families, alerts first."""
    found: dict[str, list[str]] = {family: [] for family in families}
    text = RuleRenderer(RuleOptions()).document()
    for rule, used in names_by_rule(text):
        for family, rules in found.items():
            if rule not in rules and not used.isdisjoint(sample_names(family)):
                rules.append(rule)
    return {family: sorted(rules, key=_is_recorded) for family, rules in found.items() if rules}


def _is_recorded(rule: str) -> bool:
    return ":" in rule  # by the naming convention of Prometheus
