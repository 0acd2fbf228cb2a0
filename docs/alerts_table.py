"""The table of docs/alerts.md, made from the rule files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from exporter.config import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
PAGE = HERE / "alerts.md"
RULES = HERE.parent / "deploy" / "prometheus" / "rules"
BEGIN, END = "<!-- made by make docs -->\n", "<!-- end of what make docs makes -->"
_OBJECTIVE = re.compile(r"qbusiness_data_source_objective_(\w+?)(?:_seconds)?\b")
_THRESHOLD = re.compile(r"([<>]=?) ([\d.]+)\b(?! [+*])")
_TRIVIAL = {0.0, 1.0}  # whether something is so: no threshold
_SECONDS = 300.0  # from here on a threshold is one


def alerts_page() -> str:
    """Give docs/alerts.md with its table as the rule files have it."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    table = "\n".join(_lines())
    return f"{before}{BEGIN}{table}\n{END}{after}"


def _lines() -> Iterator[str]:
    for file in sorted(RULES.glob("*.yaml")):
        group = [rule for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]
        alerts = [rule for rule in group if "alert" in rule]
        if alerts:
            yield ""
            yield f"### {file.name}"
            yield ""
            yield "| alert | severity | after | held to | says |"
            yield "|---|---|---|---|---|"
            yield from map(_row, alerts)
    yield ""


def _row(rule: dict[str, Any]) -> str:
    name, says = rule["alert"], _plain(rule["annotations"]["summary"])
    return (
        f"| [{name}](runbooks/{name}.md) | {rule['labels']['severity']} | {rule.get('for', '0s')} "
        f"| {_held_to(rule['expr'])} | {says} |"
    )


def _held_to(expr: str) -> str:
    objectives = [f"`{key}`" for key in dict.fromkeys(_OBJECTIVE.findall(expr))]
    fixed = [(sign, float(number)) for sign, number in dict.fromkeys(_THRESHOLD.findall(expr))]
    return ", ".join(objectives + [f"{sign} {_written(number)}" for sign, number in fixed if number not in _TRIVIAL])


def _written(number: float) -> str:
    return format_duration(number) if number >= _SECONDS else f"{number:g}"


def _plain(summary: str) -> str:
    """Put words where a template has its braces."""
    named = re.sub(r"{{ \$labels\.(\w+) }}", lambda label: f"*{label[1].replace('_', ' ')}*", summary)
    return re.sub(r"{{ \$value[^}]*}}", "*N*", named).strip()
