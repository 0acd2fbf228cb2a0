"""Warnings about `metrics.exclude`, which depend on the metric families and the rules."""

from __future__ import annotations

import difflib
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from exporter.metrics import container_families, exposed_name, source_families
from exporter.metrics.telemetry import Telemetry
from exporter.providers.registry import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.config import Config

MAX_NAMED = 3  # the number of families in one warning


def exclusion_warnings(config: Config) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield a warning for each glob that matches nothing, or a family that a shipped rule needs."""
    if not config.metrics.exclude:
        return
    from exporter.rules.families import rules_by_family  # noqa: PLC0415 (it imports a template engine)

    names = family_names()
    rules = rules_by_family(names)
    for position, glob in enumerate(config.metrics.exclude):
        matched = [name for name in names if fnmatchcase(name, glob)]
        needed = [name for name in matched if name in rules]
        path = ("metrics", "exclude", position)
        if not matched:
            yield path, f"exclude: {glob!r} matches no metric family{_suggestion(glob, names)}"
        elif needed:
            yield path, f"exclude: {_listed(needed, rules)}"


def family_names() -> list[str]:
    """Return the names of the families of all services and of the exporter."""
    families = [
        family.name
        for service in SERVICES.values()
        for family in (*source_families(service), *container_families(service))
    ]
    return [*families, *map(exposed_name, Telemetry().registry.collect())]


def _suggestion(glob: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(glob, names, 1)
    return f"; did you mean {close[0]}?" if close else "; docs/metrics.md lists all"


def _listed(needed: Sequence[str], rules: dict[str, list[str]]) -> str:
    """Return the first families that rules need, each with its rules."""
    named = [f"{name} is needed by {', '.join(rules[name])}" for name in needed[:MAX_NAMED]]
    further = len(needed) - len(named)
    return "; ".join(named) + (f"; rules need {further} further families too" if further > 0 else "")
