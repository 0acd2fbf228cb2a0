"""The templates of the rules."""

from __future__ import annotations

from importlib.resources import files

import yaml

from exporter.rules import SERVICES, RuleOptions, RuleRenderer, alert_names


def test_a_template_has_the_name_of_its_alert() -> None:
    """--disable and the link to the runbook use the name of the file."""
    groups = yaml.safe_load(RuleRenderer(RuleOptions()).document())["groups"]
    alerts = [rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule]
    assert tuple(sorted(alerts)) == alert_names()


def test_each_service_has_templates() -> None:
    """--service offers exactly the services that have rules."""
    assert tuple(sorted(folder.name for folder in files("exporter.rules").joinpath("templates").iterdir())) == SERVICES
