"""The generated files of the mixin: the rules as JSON with placeholders, and copies of the dashboards.

mixin.libsonnet replaces each placeholder, `%(name)s`: thresholds, the label matchers of the user, and addresses of
links. The rules come from the same templates as all other rule files.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from deploy.chart import folder_of
from exporter.providers.registry import SERVICES
from exporter.rules.options import RuleOptions
from exporter.rules.renderer import RuleRenderer

if TYPE_CHECKING:
    from collections.abc import Iterable

MIXIN = Path(__file__).parent / "mixin"
_MARK = "MIXIN({})"  # the form of a placeholder while `%` still has its meaning in the rules
_MARKED = re.compile(r"MIXIN\((\w+)\)")
_PREFIX = "|".join(SERVICES)
_SERIES = re.compile(rf'"[^"]*"|(?<![\w:])(?:{_PREFIX})_\w+\{{?|\{{(?=__name__)')  # or a quoted text


def mixin_files(dashboards: Iterable[Path]) -> dict[Path, str]:
    """Return the text of every generated file of the mixin by path."""
    copied = {path.name: path.read_text() for path in dashboards}
    return {
        MIXIN / "rules.json": json.dumps(mixin_rules(), indent=2) + "\n",
        MIXIN / "dashboards.libsonnet": _imports(copied),
        **{MIXIN / "dashboards" / name: text for name, text in copied.items()},
    }


def _imports(dashboards: Iterable[str]) -> str:
    """Return a jsonnet object with the dashboards of each service, and of the exporter."""
    folders: dict[str, list[str]] = {}
    for name in dashboards:
        folders.setdefault(folder_of(name), []).append(f"import 'dashboards/{name}'")
    lines = (f"  {folder}: [{', '.join(imports)}],\n" for folder, imports in sorted(folders.items()))
    return f"{{\n{''.join(lines)}}}\n"


def mixin_rules() -> dict[str, Any]:
    """Return the rule groups of each file with placeholders, its folder, the services, and the default thresholds."""
    defaults = RuleRenderer(RuleOptions())
    defaults.document()
    marks = {name: _MARK.format(name) for name in defaults.default_thresholds}
    options = RuleOptions(
        thresholds=marks,
        runbooks=_MARK.format("runbookUrl"),
        external_url=_MARK.format("externalUrl"),
        grafana_url=_MARK.format("grafanaUrl"),
    )
    files = {name: yaml.safe_load(text)["groups"] for name, text in RuleRenderer(options).files().items()}
    for rule in (rule for groups in files.values() for group in groups for rule in group["rules"]):
        rule["expr"] = _placeholders(_SERIES.sub(_with_selector, rule["expr"]))
        if "annotations" in rule:
            rule["annotations"] = {name: _placeholders(text) for name, text in rule["annotations"].items()}
    services = {"services": list(SERVICES), "folders": {name: folder_of(name) for name in files}}
    return {
        **services,
        "thresholds": {name: f"{value:g}" for name, value in defaults.default_thresholds.items()},
        "files": files,
    }


def _with_selector(found: re.Match[str]) -> str:
    """Return the name of a series, or the brace before `__name__`, with the label matchers of the user."""
    text = found[0]
    if text.startswith('"'):
        return text
    mark = _MARK.format("selector")
    return f"{text}{mark}" if text.endswith("{") else f"{text}{{{mark}}}"


def _placeholders(text: str) -> str:
    return _MARKED.sub(r"%(\1)s", text.replace("%", "%%"))
