"""The rules of each service: the cases of the default service pass for them, in the words of the service."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from exporter.providers.kendra.service import KENDRA
from exporter.providers.registry import DEFAULT_SERVICE, SERVICES
from exporter.rules.options import RuleOptions
from exporter.rules.renderer import RuleRenderer
from tests.support.alert_rules import ROOT, UNIT_TESTS
from tests.support.rules_of_services import RulesOfService

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.domain.service import Service

OTHERS = [service for service in dict.fromkeys((KENDRA, *SERVICES.values())) if service is not DEFAULT_SERVICE]
SAMPLE = ("documents", "resources", "stale", "syncs")  # the first case of each of these files runs in `make test`
each_service = pytest.mark.parametrize("service", OTHERS, ids=lambda service: str(service.name))


def run_promtool(rules: RulesOfService, folder: Path, file: Path, limit: int | None = None) -> int:
    """Run the cases of a file, which must pass; return their number."""
    content = rules.unit_tests(yaml.safe_load(file.read_text()))
    content["tests"] = content["tests"][:limit]
    test = folder / f"test-{file.name}"
    test.write_text(yaml.safe_dump(content))
    done = subprocess.run(("promtool", "test", "rules", test), capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    return len(content["tests"])


@each_service
def test_alerts_fire_at_the_same_time_as_those_of_the_default_service(service: Service, tmp_path: Path) -> None:
    """A case of each group of rules: the alert fires with the labels of the service, not earlier, and resolves."""
    rules = RulesOfService(service, tmp_path)
    files = [file for file in UNIT_TESTS if file.stem in SAMPLE]
    assert sum(run_promtool(rules, tmp_path, file, limit=1) for file in files) == len(SAMPLE)


@each_service
def test_every_alert_of_a_service_fires_in_a_case(service: Service, tmp_path: Path) -> None:
    """Alerts about the exporter have their cases in the words of the default service."""
    rules = RulesOfService(service, tmp_path)
    cases = [case for file in UNIT_TESTS for case in rules.unit_tests(yaml.safe_load(file.read_text()))["tests"]]
    fired = {check["expr"] for case in cases for check in case["promql_expr_test"] if check["exp_samples"]}
    assert set(re.findall(r'alertname="(\w+)"', " ".join(fired))) == rules.own_alerts


@pytest.mark.trial
@pytest.mark.parametrize("file", UNIT_TESTS, ids=lambda file: str(file.stem))
@each_service
def test_every_case_holds_for_every_service(service: Service, file: Path, tmp_path: Path) -> None:
    """Cases with series that the service lacks are left out."""
    run_promtool(RulesOfService(service, tmp_path), tmp_path, file)


@each_service
def test_promtool_reports_no_problem(service: Service, tmp_path: Path) -> None:
    """All findings of its linter are errors."""
    file = tmp_path / "rules.yaml"
    file.write_text(RuleRenderer(RuleOptions((service,))).document())
    command = ("promtool", "check", "rules", "--lint=all", "--lint-fatal", file)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@each_service
def test_rules_have_the_words_of_their_service_alone(service: Service) -> None:
    """No rule about a data source has the prefix, a label or the name of the default service."""
    files = RuleRenderer(RuleOptions((service,))).files()
    text = "".join(text for name, text in files.items() if name.startswith(f"{service.name}-"))
    foreign = {level.word for level in DEFAULT_SERVICE.containers} - {level.word for level in service.containers}
    # "Index" is also a verb for all services, and the maintenance of an index may delay a sync.
    assert not re.search(rf"(?<!to )\b({'|'.join(foreign)})\b(?! maintenance)", text)
    assert DEFAULT_SERVICE.title not in text
    assert set(re.findall(r"\bqbusiness\w*|\bQBusiness\w*", text)) == {"QBusinessTargetDown"}


def test_alerts_link_to_a_dashboard_that_exists() -> None:
    """Each service has its own."""
    uids = {json.loads(file.read_text())["uid"] for file in (ROOT / "deploy" / "grafana" / "dashboards").glob("*.json")}
    text = RuleRenderer(RuleOptions((DEFAULT_SERVICE, *OTHERS))).document()
    linked = set(re.findall(r"dashboard_url: /d/([\w-]+)", text))
    assert linked == {f"{service.name}-data-source" for service in SERVICES.values()}
    assert linked <= uids


def test_the_rules_of_the_exporter_stand_once() -> None:
    """Prometheus would record and fire the same series twice."""
    rules = re.findall(r"- (?:alert|record): (\S+)", RuleRenderer(RuleOptions((DEFAULT_SERVICE, *OTHERS))).document())
    assert len(rules) == len(set(rules))
    assert "QBusinessExporterDown" in rules
