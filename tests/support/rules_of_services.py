"""The unit tests of the default service's rules, in the words of another service.

The rules of all services come from the same templates, so the cases in tests/rules hold for each of them, with other
names of series, labels, statuses and alerts. The texts of alerts differ and are not compared. Cases with series or
alerts that a service does not have are left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from exporter.metrics import container_families, source_families
from exporter.providers.registry import DEFAULT_SERVICE
from exporter.rules.options import RuleOptions
from exporter.rules.renderer import RuleRenderer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from exporter.domain.service import Service

_LEVEL, _ROOT = DEFAULT_SERVICE.container.word, DEFAULT_SERVICE.root.word
_OUTER = re.compile(rf'\b{_ROOT}="[^"]*",')
_SERIES = re.compile(rf"\b{DEFAULT_SERVICE.name}_(?!exporter_)")


class RulesOfService:
    """The rules of a service in a folder, and the unit tests for them."""

    def __init__(self, service: Service, folder: Path) -> None:
        self._service = service
        self._folder = folder
        files = RuleRenderer(RuleOptions((service,))).files()
        for name, text in files.items():
            (folder / name).write_text(text)
        self._alerts = set(re.findall(r"- alert: (\w+)", "".join(files.values())))
        families = (*source_families(service), *container_families(service))
        self._families = {family.name for family in families}

    @property
    def own_alerts(self) -> set[str]:
        """The alerts about the data sources and containers of the service."""
        return {alert for alert in self._alerts if alert.startswith(self._service.alert_prefix)}

    def unit_tests(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return a file of unit tests for promtool, with its rules; `tests` may be empty."""
        names = (file.rpartition("/")[2] for file in content["rule_files"])
        return {
            "rule_files": [str(self._folder / self._file(name)) for name in names],
            "evaluation_interval": content["evaluation_interval"],
            "group_eval_order": [self._file(group) for group in content["group_eval_order"]],
            "tests": list(self._cases(content)),
        }

    def _file(self, name: str) -> str:
        """Return the name of a file or group of the service; names of the exporter do not change."""
        is_own = not name.startswith(f"{DEFAULT_SERVICE.name}-exporter")
        return name.replace(f"{DEFAULT_SERVICE.name}-", f"{self._service.name}-") if is_own else name

    def _cases(self, content: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        for case in content["tests"]:
            series = [{**one, "series": self._text(one["series"])} for one in case["input_series"]]
            checks = [self._check(check) for check in case.get("alert_rule_test", ()) if self._has(check["alertname"])]
            if checks and all(map(self._exposes, series)):
                kept = {key: value for key, value in case.items() if key in {"name", "interval"}}
                yield {**kept, "input_series": series, "promql_expr_test": checks}

    def _check(self, check: Mapping[str, Any]) -> dict[str, Any]:
        """Return the check that an alert fires with these labels, as one of the series ALERTS."""
        alert = {"alertname": self._text(check["alertname"]), "alertstate": "firing"}
        expected = [{**alert, **one["exp_labels"]} for one in check.get("exp_alerts") or ()]
        return {
            "expr": self._text(_series("ALERTS", alert)),
            "eval_time": check["eval_time"],
            "exp_samples": [{"labels": self._text(_series("ALERTS", labels)), "value": 1} for labels in expected],
        }

    def _has(self, alert: str) -> bool:
        """Return whether the service has an alert that corresponds to an alert of the default service."""
        name = self._text(alert)
        return name in self._alerts and name != alert

    def _exposes(self, series: Mapping[str, str]) -> bool:
        name = re.match(r"\w+", series["series"])[0]  # type: ignore[index] # every series has a name
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        return not name.startswith(f"{self._service.name}_") or not self._families.isdisjoint({name, family})

    def _text(self, text: str) -> str:
        """Return a series or the name of an alert in the words of the service."""
        service, level = self._service, self._service.container.word
        text = re.sub(rf"\b{DEFAULT_SERVICE.alert_prefix}(\w+)", self._alert, text)
        text = text.replace(f"{DEFAULT_SERVICE.name}_{_LEVEL}_", f"{DEFAULT_SERVICE.name}_{level}_")
        text = _SERIES.sub(f"{service.name}_", text).replace(f'"{DEFAULT_SERVICE.name}"', f'"{service.name}"')
        if "_status{" in text or "ALERTS" in text:
            healthy = service.healthy_source_statuses if "data_source" in text else service.healthy_container_statuses
            text = text.replace('status="ACTIVE"', f'status="{healthy[0]}"')
        if f"{_LEVEL}_id=" not in text:
            return text.replace(f"{_ROOT}=", f"{service.root.word}=")
        if len(service.containers) == 1:
            text = _OUTER.sub("", text)
        return text.replace(f"{_LEVEL}=", f"{level}=").replace(f"{_LEVEL}_id=", f"{level}_id=")

    def _alert(self, found: re.Match[str]) -> str:
        """Return the name of an alert of the service, or the name itself if the exporter has the alert."""
        kind = re.sub(f"^{_LEVEL.capitalize()}", "Container", found[1])
        name = self._service.alert(kind)
        return name if name in self._alerts or found[0] not in self._alerts else found[0]


def _series(name: str, labels: Mapping[str, str]) -> str:
    selected = ",".join(f'{label}="{value}"' for label, value in labels.items())
    return f"{name}{{{selected}}}"
