"""The Terraform modules are parsed, scanned, and compared with deploy/iam/.

Terraform and its provider are not available here, so that no test runs `terraform validate`.
"""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import hcl2
import pytest

from deploy.policies import policies
from exporter.aws.policy import queue_statements
from exporter.config import TargetConfig
from exporter.domain.service import ArnScope
from exporter.providers.registry import SERVICES
from tests.suites.kubernetes.chart import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.domain.service import Service

MODULES = sorted(path.parent for path in (ROOT / "deploy" / "terraform").glob("*/main.tf"))
IAM = ROOT / "deploy" / "iam"


def remove_markup(part: Any) -> Any:
    """Return a part without the additions of the parser, which are quotes and keys with underscores."""
    if isinstance(part, dict):
        return {key.strip('"'): remove_markup(value) for key, value in part.items() if not key.startswith("__")}
    if isinstance(part, list):
        return [remove_markup(item) for item in part]
    return part.strip('"') if isinstance(part, str) else part


def read(module: Path) -> dict[str, list[Any]]:
    """Return the blocks of all files of a module by type."""
    blocks_by_type: dict[str, list[Any]] = {}
    for path in sorted(module.glob("*.tf")):
        for block_type, blocks in remove_markup(hcl2.loads(path.read_text())).items():
            blocks_by_type.setdefault(block_type, []).extend(blocks)
    return blocks_by_type


def policy_statements(module: dict[str, list[Any]], name: str) -> list[dict[str, Any]]:
    """Return the statements of a policy document of a module."""
    documents = [data["aws_iam_policy_document"] for data in module["data"] if "aws_iam_policy_document" in data]
    found: list[dict[str, Any]] = next(document[name] for document in documents if name in document)["statement"]
    return found


def iam_statements(name: str) -> list[dict[str, Any]]:
    """Return the statements of a file of deploy/iam/."""
    found: list[dict[str, Any]] = json.loads((IAM / name).read_text())["Statement"]
    return found


def declared(module: dict[str, list[Any]]) -> Iterator[str]:
    """Yield the names that expressions may refer to."""
    for variable in module["variable"]:
        yield from (f"var.{name}" for name in variable)
    for prefix, block_type in (("data.", "data"), ("", "resource")):
        for block in module[block_type]:
            yield from (f"{prefix}{type_}.{name}" for type_, named in block.items() for name in named)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_references_are_declared(module: Path) -> None:
    """Every variable and data block is also used, and variables and outputs have descriptions."""
    blocks = read(module)
    text = "".join(re.sub(r"#.*", "", path.read_text()) for path in module.glob("*.tf"))
    used = set(re.findall(r"\b(var\.\w+|data\.aws_\w+\.\w+|(?<!data\.)\baws_\w+\.\w+)\b", text))
    resources = {name for name in declared(blocks) if name.startswith("aws_")}
    assert used <= set(declared(blocks))
    assert set(declared(blocks)) - resources <= used
    documented = [
        block for block_type in ("variable", "output") for named in blocks[block_type] for block in named.values()
    ]
    assert all(block["description"] for block in documented)


@pytest.mark.parametrize("service", SERVICES.values(), ids=str)
def test_the_cross_account_role_has_the_documented_permissions(service: Service) -> None:
    """It has the same actions on the same resources for each service."""
    permissions = read(ROOT / "deploy" / "terraform" / "cross-account-role")["locals"][0]["permissions"][service.name]
    listing, reading = policies(service)["discovery with tags"]["Statement"]
    assert (permissions["list"], listing["Resource"]) == (listing["Action"], ["*"])
    assert permissions["read"] == reading["Action"]
    assert [f"arn:aws:{permissions['iam']}:us-east-1:111122223333:{permissions['resource']}"] == reading["Resource"]


@pytest.mark.parametrize(("module", "variable"), [("cross-account-role", "services"), ("sync-events", "service")])
def test_each_service_can_be_selected(module: str, variable: str) -> None:
    """The validation of the variable permits exactly the services of the exporter."""
    variables = read(ROOT / "deploy" / "terraform" / module)["variable"]
    declaration = next(named[variable] for named in variables if variable in named)
    permitted = re.findall(r'"(\w+)"', declaration["validation"][0]["condition"])
    assert set(permitted) == set(SERVICES)


def test_the_cross_account_role_requires_the_external_id() -> None:
    """The trust policy is the documented one."""
    module = read(ROOT / "deploy" / "terraform" / "cross-account-role")
    (trust,) = policy_statements(module, "trust")
    (documented_trust,) = iam_statements("trust-other-account.json")
    assert trust["actions"] == [documented_trust["Action"]]
    assert [condition["variable"] for condition in trust["condition"]] == ["sts:ExternalId"]


def test_the_exporter_role_may_only_assume_roles() -> None:
    """It may assume the roles of `role_arns`, and pods may assume it."""
    module = read(ROOT / "deploy" / "terraform" / "exporter-role")
    (assume,) = policy_statements(module, "assume")
    assert (assume["actions"], assume["resources"]) == (
        iam_statements("assume-other-account.json")[0]["Action"],
        "${var.role_arns}",
    )
    (trust,) = policy_statements(module, "trust")
    (documented,) = iam_statements("trust-pod-identity.json")
    assert trust["actions"] == documented["Action"]
    assert trust["principals"][0]["identifiers"] == [documented["Principal"]["Service"]]


def test_the_queue_of_events_may_be_read_as_documented() -> None:
    """The exporter may receive and delete messages, and nothing else. EventBridge may send them for this rule only."""
    module = read(ROOT / "deploy" / "terraform" / "sync-events")
    url = "https://sqs.us-east-1.amazonaws.com/111122223333/sync-events"
    target = TargetConfig.model_validate({"events": {"queue_url": url}})
    (documented,) = queue_statements(target, ArnScope("aws", "us-east-1", "111122223333"), "")
    (read_statement,) = policy_statements(module, "read")
    assert (read_statement["sid"], read_statement["actions"]) == (documented["Sid"], documented["Action"])
    send, tls = policy_statements(module, "send")
    assert (send["actions"], send["condition"][0]["variable"]) == (["sqs:SendMessage"], "aws:SourceArn")
    assert tls["effect"] == "Deny"


@pytest.mark.parametrize("service", SERVICES.values(), ids=str)
def test_the_rule_matches_the_events_that_the_exporter_uses(service: Service) -> None:
    """Each service has its sources and operations."""
    events = read(ROOT / "deploy" / "terraform" / "sync-events")["locals"][0]["events"][service.name]
    assert (events["source"], events["event_source"]) == (service.sync_events.source, service.sync_events.event_source)
    assert set(events["operations"]) == service.sync_operations


def test_checkov_finds_nothing() -> None:
    """None of the checks of Terraform fails; they need no network."""
    folder = str(ROOT / "deploy" / "terraform")
    scan = ["checkov", "--directory", folder, "--framework", "terraform", "--skip-download", "--output", "json"]
    scanned = json.loads(subprocess.run(scan, capture_output=True, check=False).stdout)
    assert scanned["summary"]["passed"] > 40
    assert scanned["summary"]["failed"] == 0
