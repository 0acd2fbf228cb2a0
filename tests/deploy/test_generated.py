"""What deploy/ holds that is copied from elsewhere, and what it says that the code says too."""

from __future__ import annotations

import json
import re
from typing import Any

import boto3
import pytest
import yaml
from botocore.config import Config as BotocoreConfig

from deploy.generate import CHART, HERE, generated_files
from exporter import __version__
from exporter.cli import main
from exporter.providers.qbusiness.permissions import PERMISSIONS

EXAMPLES = sorted(HERE.rglob("config.yaml"))
PERMISSIONS_PAGE = HERE.parent / "docs" / "aws-permissions.md"
COPIED = (CHART / "files", HERE / "iam", HERE / "kubernetes" / "operator")


def test_copies_are_what_they_copy() -> None:
    """Rules, dashboards, the configuration's schema and policies: make generate brings them up to date."""
    for path, text in generated_files().items():
        assert path.read_text() == text, path


def test_nothing_is_left_of_what_is_gone() -> None:
    """A rule file or dashboard that was removed is not installed any more."""
    made = {*generated_files(), HERE / "kubernetes" / "operator" / "servicemonitor.yaml"}
    assert {path for folder in COPIED for path in folder.rglob("*") if path.is_file()} <= made


def test_the_chart_is_of_this_version() -> None:
    """Its own version and the image's."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_permissions_are_documented() -> None:
    """Each action that the code uses, and no other; the policy by tag grants only such."""
    used = {f"qbusiness:{permission.action}" for permission in PERMISSIONS}
    page = PERMISSIONS_PAGE.read_text()
    assert set(re.findall(r"^\| `(\w+:\w+)` \|", page, re.MULTILINE)) == used | {"sts:AssumeRole"}
    (statement,) = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL))
    assert set(statement["Action"]) < used


@pytest.mark.parametrize("fips", [False, True])
@pytest.mark.parametrize("service", ["qbusiness", "sts"])
def test_firewalls_are_told_the_hosts_that_are_asked(service: Any, *, fips: bool) -> None:
    """As the SDK makes them of a region."""
    client = boto3.client(service, region_name="us-west-2", config=BotocoreConfig(use_fips_endpoint=fips))
    host = client.meta.endpoint_url.removeprefix("https://").replace("us-west-2", "REGION")
    assert f"`{host}`" in PERMISSIONS_PAGE.read_text()


def test_every_policy_is_documented() -> None:
    """By a link from where its use is explained."""
    page = PERMISSIONS_PAGE.read_text()
    assert {path.name for path in (HERE / "iam").iterdir()} == set(re.findall(r"deploy/iam/([\w-]+\.json)", page))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(HERE)))
def test_example_configurations_are_right(path: object, capsys: pytest.CaptureFixture[str]) -> None:
    """The exporter itself says so."""
    assert main(["check", f"--config.file={path}"]) == 0, capsys.readouterr().err
