"""Generate the tables of docs/alerts.md from the rules."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from docs.generated_part import with_generated_part
from exporter.domain.durations import format_duration
from exporter.rules.options import RuleOptions
from exporter.rules.renderer import RuleRenderer

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
PAGE = HERE / "alerts.md"
_OBJECTIVE = re.compile(r"[a-z]+_data_source_objective_(\w+?)(?:_seconds)?\b")
_THRESHOLD = re.compile(r"([<>]=?) ([\d.]+)\b(?! [+*])")
_BOOLEANS = {0.0, 1.0}  # comparisons with these test a condition: the table omits them
_SECONDS = 300.0  # a threshold of this size or more is a duration


def alerts_page() -> str:
    """Return the text of docs/alerts.md with its generated tables replaced."""
    return with_generated_part(PAGE, _lines())


def _lines() -> Iterator[str]:
    for file, text in RuleRenderer(RuleOptions()).files().items():
        group = [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
        alerts = [rule for rule in group if "alert" in rule]
        if alerts:
            yield ""
            yield f"### {file}"
            yield ""
            yield "| alert | severity | for | threshold | summary |"
            yield "|---|---|---|---|---|"
            yield from map(_row, alerts)
    yield ""


def _row(rule: dict[str, Any]) -> str:
    name, summary = rule["alert"], _plain(rule["annotations"]["summary"])
    return (
        f"| [{name}](runbooks/{name}.md) | {rule['labels']['severity']} | {rule.get('for', '0s')} "
        f"| {_threshold(rule['expr'])} | {summary} |"
    )


def _threshold(expr: str) -> str:
    objectives = [f"`{key}`" for key in dict.fromkeys(_OBJECTIVE.findall(expr))]
    fixed = [(sign, float(number)) for sign, number in dict.fromkeys(_THRESHOLD.findall(expr))]
    return ", ".join(objectives + [f"{sign} {_format(number)}" for sign, number in fixed if number not in _BOOLEANS])


def _format(number: float) -> str:
    return format_duration(number) if number >= _SECONDS else f"{number:g}"


def _plain(summary: str) -> str:
    """Replace the template expressions of a summary with words."""
    named = re.sub(r"{{ \$labels\.(\w+) }}", lambda label: f"*{label[1].replace('_', ' ')}*", summary)
    return re.sub(r"{{ \$value[^}]*}}", "*N*", named).strip()
