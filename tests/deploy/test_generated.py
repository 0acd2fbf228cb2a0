"""The generated files of deploy/, and the permissions page."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import yaml
from botocore.config import Config as BotocoreConfig

from deploy.chart import CHART
from deploy.generate import HERE, RULES, generated_files, is_current, rendered_manifests
from deploy.policies import policies
from exporter import __version__
from exporter.cli import main
from exporter.domain.service import Service, Use
from exporter.providers.registry import SERVICES

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = sorted(HERE.rglob("config.yaml"))
PERMISSIONS_PAGE = HERE.parent / "docs" / "aws-permissions.md"
GENERATED_FOLDERS = (RULES, CHART / "files", HERE / "iam", HERE / "kubernetes" / "operator")


def test_generated_files_are_up_to_date() -> None:
    """`make generate` writes rules, dashboards, the configuration schema and policies."""
    for path, text in generated_files().items():
        assert path.read_text() == text, path


def test_no_outdated_file_remains() -> None:
    """A copy of a deleted rule file or dashboard would still be installed."""
    expected = {*generated_files(), HERE / "kubernetes" / "operator" / "servicemonitor.yaml"}
    assert {path for folder in GENERATED_FOLDERS for path in folder.rglob("*") if path.is_file()} <= expected


@pytest.mark.parametrize("path", rendered_manifests(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_edit_of_a_rendered_manifest_is_noticed(path: Path) -> None:
    """`make check` fails, and `make generate` renders the manifest again."""
    text = path.read_text()
    assert is_current(text)
    assert not is_current(f"{text}# edited\n")


def test_the_chart_has_the_version_of_the_package() -> None:
    """This applies to the version of the chart and to the version of the image."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_the_address_of_the_repository_is_one_setting() -> None:
    """There are no links to a repository that does not exist: without the address, the chart has none either."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]
    repository = project.get("urls", {}).get("Repository")
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart.get("home") == repository
    assert chart.get("sources") == (repository and [repository])


def test_permissions_are_documented() -> None:
    """The page lists exactly the actions that the code uses."""
    services = SERVICES.values()
    used = {f"{service.iam}:{permission.action}" for service in services for permission in service.permissions}
    page = PERMISSIONS_PAGE.read_text()
    assert set(re.findall(r"^\| `(\w+:\w+)` \|", page, re.MULTILINE)) == used | {"sts:AssumeRole"}


@pytest.mark.parametrize("service", SERVICES.values(), ids=str)
def test_access_by_tag_is_documented(service: Service) -> None:
    """The condition belongs on the second statement of a policy, which has the actions on tagged resources."""
    section = PERMISSIONS_PAGE.read_text().partition("### Access by tag")[2]
    rows = re.findall(r"^\| (.*?) \| \[([\w-]+\.json)\]\(", section, re.MULTILINE)
    (file,) = [file for title, file in rows if title == service.title]
    _, statement = json.loads((HERE / "iam" / file).read_text())["Statement"]
    assert {action.partition(":")[0] for action in statement["Action"]} == {service.iam}
    assert all(resource.startswith(f"arn:aws:{service.iam}:") for resource in statement["Resource"])


@pytest.mark.parametrize("fips", [False, True])
@pytest.mark.parametrize("name", [*(service.client for service in SERVICES.values()), "sts"])
def test_the_hosts_for_firewalls_are_documented(name: Any, *, fips: bool) -> None:
    """The page lists the hosts that the SDK derives from a region."""
    client = boto3.client(name, region_name="us-west-2", config=BotocoreConfig(use_fips_endpoint=fips))
    host = client.meta.endpoint_url.removeprefix("https://").replace("us-west-2", "REGION")
    assert f"`{host}`" in PERMISSIONS_PAGE.read_text()


def test_every_policy_is_documented() -> None:
    """The page links to each file of deploy/iam."""
    page = PERMISSIONS_PAGE.read_text()
    assert {path.name for path in (HERE / "iam").iterdir()} == set(re.findall(r"deploy/iam/([\w-]+\.json)", page))


@pytest.mark.parametrize("service", SERVICES.values(), ids=str)
def test_the_policies_of_a_service_allow_its_actions(service: Service) -> None:
    """Together they have all actions of the service, except those that need further settings, and no others."""
    optional = {Use.CONTAINER_NAME, Use.DOCUMENTS}
    statements = [statement for document in policies(service).values() for statement in document["Statement"]]
    assert {action for statement in statements for action in statement["Action"]} == {
        f"{service.iam}:{permission.action}" for permission in service.permissions if permission.use not in optional
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(HERE)))
def test_example_configurations_are_valid(path: object, capsys: pytest.CaptureFixture[str]) -> None:
    """`check` reports no problem."""
    assert main(["check", "--syntax-only", f"--config.file={path}"]) == 0, capsys.readouterr().err
