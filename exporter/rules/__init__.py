"""Alerting and recording rules: Prometheus rule files, rendered from templates."""

from exporter.rules.families import rules_by_family
from exporter.rules.options import STATUS_PAGE, RuleOptions
from exporter.rules.renderer import RuleRenderer, alert_names
from exporter.rules.scopes import ServiceScope
from exporter.rules.templates import sentence, template_environment

__all__ = [
    "STATUS_PAGE",
    "RuleOptions",
    "RuleRenderer",
    "ServiceScope",
    "alert_names",
    "rules_by_family",
    "sentence",
    "template_environment",
]
