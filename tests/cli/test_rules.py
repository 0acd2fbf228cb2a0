"""`rules`: promtool checks and evaluates its output."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.providers.registry import DEFAULT_SERVICE, SERVICES
from tests.support.alert_rules import RULE_FILES, alerts
from tests.support.program_process import run_command

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENT_ALERTS = [alert.name for alert in alerts() if alert.file.name == "qbusiness-documents.yaml"]
ALL_FLAGS = (
    "--service=qbusiness",
    "--label=team",
    "--label=cost-center",
    "--runbook.url=https://wiki.example.com/qbusiness/",
    "--grafana.url=https://g.example",
    "--web.external-url=https://exporter.example.com/aws",
    "--disable=QBusinessSyncFailed",
    "--disable=QBusinessThrottled",
)


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return run_command("rules", *flags)


def rule_files(service: str) -> list[Path]:
    """Return the rule files of the exporter and of a service."""
    return [file for file in RULE_FILES if file.name == "exporter.yaml" or file.name.startswith(f"{service}-")]


def promtool(*arguments: str | Path) -> None:
    """Run promtool, which must succeed."""
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def rules_of(*flags: str) -> dict[str, dict[str, Any]]:
    """Return the rules that the command prints, by name."""
    done = run(*flags)
    assert (done.returncode, done.stderr) == (0, "")
    return by_name(yaml.safe_load(done.stdout))


def by_name(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the rules of a rule file by name."""
    rules = [rule for group in content["groups"] for rule in group["rules"] or []]
    return {rule.get("alert") or rule["record"]: rule for rule in rules}


@pytest.mark.parametrize("service", SERVICES)
def test_the_configuration_selects_the_services(service: str, tmp_path: Path) -> None:
    """One document has their rules of deploy/prometheus/rules, and those of the exporter once."""
    file = tmp_path / "config.yaml"
    own = "" if service == DEFAULT_SERVICE.name else f", service: {service}"
    file.write_text(f"targets: [{{name: a{own}, region: us-east-1}}, {{name: b{own}, region: us-west-2}}]")
    files = [by_name(yaml.safe_load(file.read_text())) for file in rule_files(service)]
    expected = {name: rule for rules in files for name, rule in rules.items()}
    assert rules_of(f"--config.file={file}") == expected
    assert rules_of(f"--service={service}") == expected


def test_a_configuration_with_problems_is_an_error(tmp_path: Path) -> None:
    """Otherwise rules for the default services would be printed, without the rules of another service."""
    file = tmp_path / "config.yaml"
    file.write_text("targets: [{nmae: a}]")
    done = run(f"--config.file={file}")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{file}:1:12: " in done.stderr


@pytest.mark.parametrize(
    "flags",
    [(), ALL_FLAGS, ("--label=team", "--label=team"), tuple(f"--disable={name}" for name in DOCUMENT_ALERTS)],
    ids=["none", "all", "a label twice", "a group without alerts"],
)
def test_promtool_reports_no_problem(flags: tuple[str, ...], tmp_path: Path) -> None:
    """All findings of its linter are errors."""
    file = tmp_path / "rules.yaml"
    file.write_text(run(*flags).stdout)
    promtool("check", "rules", "--lint=all", "--lint-fatal", file)


def test_disabled_alerts_are_left_out() -> None:
    """Nothing else changes."""
    everything = rules_of()
    names = {"QBusinessSyncFailed", "QBusinessThrottled"}
    assert rules_of(*(f"--disable={name}" for name in names)) == {
        name: rule for name, rule in everything.items() if name not in names
    }


def test_alerts_link_to_the_given_addresses() -> None:
    """The name of the alert, or the id of the data source, is appended."""
    rules = rules_of(*ALL_FLAGS)
    assert (
        rules["QBusinessNeverSynced"]["annotations"].items()
        >= {
            "runbook_url": "https://wiki.example.com/qbusiness/QBusinessNeverSynced",
            "status_url": "https://exporter.example.com/aws/?data_source_id={{ $labels.data_source_id }}",
            "dashboard_url": "https://g.example/d/qbusiness-data-source?var-data_source={{ $labels.data_source_id }}",
        }.items()
    )
    assert rules["QBusinessTargetDown"]["annotations"]["runbook_url"].endswith("/qbusiness/QBusinessTargetDown")


def test_alerts_of_a_data_source_carry_its_labels_and_tags(tmp_path: Path) -> None:
    """A name belongs to a label or a tag. An alert lacks labels that its source lacks."""
    (tmp_path / "rules.yaml").write_text(run("--label=team", "--label=cost-center").stdout)
    names = {"hr": 'label_team="people",', "it": 'tag_team="ops",tag_cost_center="42",', "pr": ""}
    labels = {name: f'application="intranet",data_source="{name}",data_source_id="{name}-id"' for name in names}
    place = 'aws_account_id="111122223333",aws_region="us-east-1"'
    test = {
        "interval": "1m",
        "input_series": [
            series
            for name, further in names.items()
            for series in (
                {"series": f"qbusiness_poll_success{{{labels[name]}}}", "values": "1x90"},
                {"series": f"qbusiness_data_source_info{{{further}{labels[name]},{place}}}", "values": "1x90"},
                {"series": f'qbusiness_data_source_status{{{labels[name]},status="FAILED"}}', "values": "1x90"},
            )
        ],
        "promql_expr_test": [
            {
                "expr": 'ALERTS{alertname="QBusinessDataSourceNotActive"}',
                "eval_time": "60m",
                "exp_samples": [
                    {
                        "labels": 'ALERTS{alertname="QBusinessDataSourceNotActive",alertstate="firing",'
                        f'severity="warning",status="FAILED",{further}{labels[name]},{place}}}',
                        "value": 1,
                    }
                    for name, further in names.items()
                ],
            }
        ],
    }
    order = ["qbusiness-recording", "qbusiness-resources"]
    content = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "group_eval_order": order,
        "tests": [test],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(content))
    promtool("test", "rules", tmp_path / "test.yaml")


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--disable=QBusinessSyncFaild", "argument --disable: no such alert: 'QBusinessSyncFaild' (choose from"),
        ("--service=textract", "argument --service: invalid choice: 'textract' (choose from 'qbusiness'"),
        ("--label=team=hr", "argument --label: 'team=hr' is not a name: write the name of a label or a tag, such as"),
        ("--label=", "argument --label: '' is not a name"),
        (
            "--runbook.url=wiki.example.com",
            "argument --runbook.url: 'wiki.example.com' is not a URL: write one",
        ),
        ("--web.external-url=http://x y", "argument --web.external-url: 'http://x y' is not a URL"),
        ("--since=1d", "--since is a flag of backfill, not of rules"),
    ],
)
def test_wrong_flags_are_wrong_usage(flag: str, message: str) -> None:
    """The message says what is wrong and what would be right, and nothing is printed on stdout."""
    done = run(flag)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_the_help_describes_its_own_flags_alone() -> None:
    """The flags of `serve` are not there."""
    text = run("-h").stdout
    assert "usage: qbusiness-exporter rules [flags]" in text
    for flag in (
        "--config.file",
        "--service",
        "--label NAME",
        "--runbook.url URL",
        "--grafana.url",
        "--web.external-url",
        "--disable",
    ):
        assert flag in text
    for flag in ("--web.listen-address", "NAME=VALUE"):
        assert flag not in text
