"""The tutorial: its commands and files, run in its order."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.cli.arguments import parse
from exporter.cli.demo import demo_fleets
from tests.support.harness import Program, eventually
from tests.support.prometheus_server import prometheus

if TYPE_CHECKING:
    from tests.support.prometheus_server import Prometheus

TUTORIAL = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text()
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
ALERT = "QBusinessSyncScannedNothing"


def commands() -> list[str]:
    """Return the commands of the tutorial."""
    return re.findall(r"^\$ (.+?)(?: +# .*)?$", TUTORIAL, re.MULTILINE)


def configuration() -> dict[str, Any]:
    """Return the configuration of Prometheus that the tutorial shows."""
    (text,) = re.findall(r"^```yaml\n(.*?)^```", TUTORIAL, re.MULTILINE | re.DOTALL)
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def sources_with(alert: str, server: Prometheus) -> set[str]:
    """Return the data sources for which an alert fires."""
    query = f'ALERTS{{alertname="{alert}", alertstate="firing"}}'
    return {result["metric"]["data_source"] for result in server.get("query", query=query)["result"]}


@pytest.mark.trial
def test_the_alert_of_the_tutorial_fires(tmp_path: Path) -> None:
    """The demo, the printed rules and the configuration shown lead to the alert; only its waiting time is shorter."""
    (command,) = (each for each in commands() if each.endswith("> rules.yaml"))
    _, *arguments, _, _ = shlex.split(command)
    printed = subprocess.run(
        [sys.executable, "-m", "exporter", *arguments], capture_output=True, text=True, check=True, env=ENVIRONMENT
    ).stdout
    (tmp_path / "rules.yaml").write_text(printed.replace("for: 5m", "for: 5s"))
    config = configuration()
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    with Program(["demo"]) as program:
        host, port = program.address
        assert config["scrape_configs"][0]["static_configs"] == [{"targets": ["localhost:10142"]}]
        config["scrape_configs"][0]["static_configs"] = [{"targets": [f"{host}:{port}"]}]
        with prometheus(tmp_path, config) as server:
            eventually(lambda: "faq-s3" in sources_with(ALERT, server), 60)
    assert f"`{ALERT}` is pending for `faq-s3`, and fires five minutes later" in TUTORIAL
    assert "for: 5m" in printed.split(f"alert: {ALERT}\n")[1].split("alert:")[0]


def test_the_commands_of_the_tutorial_exist() -> None:
    """The program accepts each of its commands, with its flags."""
    own = [shlex.split(line)[1:] for line in commands() if line.startswith("qbusiness-exporter")]
    parsed = [parse([word for word in words if word not in {">", "rules.yaml"}]) for words in own]
    assert len(parsed) == 6
    (rules,) = (arguments for arguments in parsed if arguments.command == "rules")
    assert set(rules.service) == demo_fleets(0.0).keys()
