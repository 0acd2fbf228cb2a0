"""Alerting and recording rules: Prometheus rule files, rendered from templates."""

from exporter.rules.renderer import RUNBOOKS, RuleOptions, RuleRenderer

__all__ = ["RUNBOOKS", "RuleOptions", "RuleRenderer"]
