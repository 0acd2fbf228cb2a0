"""Renders the rules about the exporter itself once, and the rules of each service."""

from __future__ import annotations

from textwrap import indent
from typing import TYPE_CHECKING

from exporter.rules.options import RuleOptions
from exporter.rules.scopes import ExporterScope, ServiceScope
from exporter.rules.series import alerts_in
from exporter.rules.templates import Templates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import PurePosixPath

    from exporter.rules.scopes import RuleScope


class RuleRenderer:
    """Renders rule files."""

    def __init__(self, options: RuleOptions) -> None:
        self._options = options
        self._templates = Templates()
        self.default_thresholds: dict[str, float] = {}
        """The default thresholds of the rendered alerts, by the name of the alert."""

    def files(self) -> dict[str, str]:
        """Return the text of each rule file by its name."""
        return {name: f"groups:\n{groups}" for name, groups in self._files()}

    def document(self) -> str:
        """Return all rules as one rule file."""
        return "groups:\n" + "\n".join(groups for _, groups in self._files())

    def _files(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each file with its groups, as the items of a YAML list."""
        scopes: list[RuleScope] = [ExporterScope(), *map(ServiceScope, self._options.services)]
        for scope in scopes:
            paths = self._templates.in_folder(scope.folder)
            recorded = "".join(self._groups(scope, path, ()) for path in paths)
            for path in paths:
                groups = self._groups(scope, path, self._alerts(scope, path, recorded))
                yield scope.file_name(path.name), indent(groups, "  ") + "\n"

    def _groups(self, scope: RuleScope, path: PurePosixPath, alerts: Iterable[str]) -> str:
        """Return the groups of one template with these alerts."""
        return self._templates.render(path, {**self._values(scope), "alerts": "\n\n".join(alerts)})

    def _alerts(self, scope: RuleScope, path: PurePosixPath, recorded: str) -> Iterator[str]:
        """Yield the alerts of a template, as items of a YAML list, without alerts that are disabled or cannot fire."""
        for template in self._templates.in_folder(path.with_suffix("")):
            name = scope.alert_name(template.stem)
            defaults: dict[str, float] = {}
            values = {
                "alert": name,
                "runbook_url": self._options.runbook_url(name),
                "threshold": self._threshold_of(name, defaults),
            }
            text = self._templates.render(template, {**self._values(scope), **values}).rstrip()
            if name not in self._options.disabled and scope.has_series(text, recorded):
                self.default_thresholds |= defaults
                yield text

    def _values(self, scope: RuleScope) -> dict[str, object]:
        """Return the values of the placeholders that all templates of a scope have."""
        return {
            **scope.values,
            "info_labels": ", ".join(self._options.info_labels),
            "external_url": self._options.external_url,
            "grafana_url": self._options.grafana_url,
        }

    def _threshold_of(self, alert: str, defaults: dict[str, float]) -> Callable[[float], object]:
        """Return the function that the template of an alert calls with the default of its threshold."""

        def threshold(default: float) -> object:
            defaults[alert] = default
            return self._options.thresholds.get(alert, default)

        return threshold


def alert_names(options: RuleOptions = RuleOptions()) -> tuple[str, ...]:  # noqa: B008 (it is immutable)
    """Return the names of the exporter's own alerts, and of the alerts of the services, by default all."""
    return tuple(sorted(alerts_in(RuleRenderer(options).document())))
