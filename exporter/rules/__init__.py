"""Alerting and recording rules: Prometheus rule files, rendered from templates."""

from exporter.rules.options import SERVICES, STATUS_PAGE, RuleOptions
from exporter.rules.renderer import RuleRenderer, alert_names

__all__ = ["SERVICES", "STATUS_PAGE", "RuleOptions", "RuleRenderer", "alert_names"]
