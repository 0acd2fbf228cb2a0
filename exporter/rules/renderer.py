"""Renders the rules of a service from the templates in `templates/SERVICE/`.

A template NAME.yaml is a list of rule groups. A template NAME/ALERT.yaml is one alert of the group NAME. Both are in
the format of Prometheus rule files. `{{ }}` is left to Prometheus, so the placeholders here are `[[ ]]`, and the
statements `[% %]`. `macros.jinja` has what the alerts about data sources share.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from textwrap import indent
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.rules.options import RuleOptions

REPLICA = "application, data_source, data_source_id, job, instance"
"""The labels that identify the series of one replica of the exporter for one data source."""


class RuleRenderer:
    """Renders the rules of one service."""

    def __init__(self, options: RuleOptions) -> None:
        self._options = options
        self.default_thresholds: dict[str, float] = {}
        """The defaults of the thresholds of the alerts that were rendered, by the name of the alert."""
        self._environment = _environment()
        self._environment.globals |= {
            "info_labels": ", ".join(options.info_labels),
            "replica": REPLICA,
            "external_url": options.external_url,
            "grafana_url": options.grafana_url,
        }
        self._templates = [path for path in _templates(self._environment) if path.parts[0] == options.service]

    def files(self) -> dict[str, str]:
        """Return the text of each rule file by its name."""
        return {path.name: f"groups:\n{self._groups(path)}" for path in self._templates if not _is_alert(path)}

    def document(self) -> str:
        """Return all rules as one rule file."""
        return "groups:\n" + "\n".join(self._groups(path) for path in self._templates if not _is_alert(path))

    def _groups(self, path: PurePosixPath) -> str:
        """Return the groups of one file, as the items of a YAML list."""
        alerts = [self._alert(found) for found in self._templates if found.parent == path.with_suffix("")]
        text = self._environment.get_template(str(path)).render(alerts="\n\n".join(filter(None, alerts)))
        return indent(text, "  ") + "\n"

    def _alert(self, path: PurePosixPath) -> str:
        """Return an alert, as an item of a YAML list, or an empty text if it is disabled."""
        if path.stem in self._options.disabled:
            return ""
        name = path.stem
        values = {"alert": name, "runbook_url": self._options.runbook_url(name), "threshold": self._threshold_of(name)}
        return self._environment.get_template(str(path)).render(values).rstrip()

    def _threshold_of(self, alert: str) -> Callable[[float], object]:
        """Return the function that the template of an alert calls with the default of its threshold."""

        def threshold(default: float) -> object:
            self.default_thresholds[alert] = default
            return self._options.thresholds.get(alert, default)

        return threshold


def alert_names() -> tuple[str, ...]:
    """Return the names of the alerts of all services."""
    return tuple(sorted(path.stem for path in _templates(_environment()) if _is_alert(path)))


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("exporter.rules"),
        autoescape=False,  # noqa: S701 (the output is YAML)  # nosec B701
        undefined=StrictUndefined,
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[[",
        variable_end_string="]]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _templates(environment: Environment) -> list[PurePosixPath]:
    """Return the paths of the rule files and alerts of all services, in alphabetical order."""
    return [PurePosixPath(name) for name in environment.list_templates(extensions=["yaml"])]


def _is_alert(path: PurePosixPath) -> bool:
    """Return whether a template is an alert, SERVICE/NAME/ALERT.yaml, and not a rule file, SERVICE/NAME.yaml."""
    return len(path.parts) == len(("SERVICE", "NAME", "ALERT.yaml"))
