"""The Terraform modules, as far as they can be known without Terraform: parsed, scanned, and held against deploy/iam/.

Neither terraform nor its provider can be had here, so `terraform validate` has not been run on them.
"""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import hcl2
import pytest

from tests.suites.kubernetes.chart import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODULES = sorted(path.parent for path in (ROOT / "deploy" / "terraform").glob("*/main.tf"))
IAM = ROOT / "deploy" / "iam"


def plain(part: Any) -> Any:
    """Take what the parser adds off: quotes, and marks of its own."""
    if isinstance(part, dict):
        return {key.strip('"'): plain(value) for key, value in part.items() if not key.startswith("__")}
    if isinstance(part, list):
        return [plain(item) for item in part]
    return part.strip('"') if isinstance(part, str) else part


def read(module: Path) -> dict[str, list[Any]]:
    """Read all files of a module as one."""
    whole: dict[str, list[Any]] = {}
    for path in sorted(module.glob("*.tf")):
        for kind, blocks in plain(hcl2.loads(path.read_text())).items():
            whole.setdefault(kind, []).extend(blocks)
    return whole


def policy(module: dict[str, list[Any]], name: str) -> list[dict[str, Any]]:
    """Give the statements of a policy document."""
    documents = [data["aws_iam_policy_document"] for data in module["data"] if "aws_iam_policy_document" in data]
    found: list[dict[str, Any]] = next(document[name] for document in documents if name in document)["statement"]
    return found


def statements(name: str) -> list[dict[str, Any]]:
    """Give the statements of a file of deploy/iam/."""
    found: list[dict[str, Any]] = json.loads((IAM / name).read_text())["Statement"]
    return found


def declared(module: dict[str, list[Any]]) -> Iterator[str]:
    """Walk through what expressions may refer to."""
    for variable in module["variable"]:
        yield from (f"var.{name}" for name in variable)
    for prefix, kind in (("data.", "data"), ("", "resource")):
        for block in module[kind]:
            yield from (f"{prefix}{type_}.{name}" for type_, named in block.items() for name in named)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_whatever_is_referred_to_is_declared(module: Path) -> None:
    """And whatever is declared is used."""
    whole = read(module)
    text = "".join(re.sub(r"#.*", "", path.read_text()) for path in module.glob("*.tf"))
    used = set(re.findall(r"\b(var\.\w+|data\.aws_\w+\.\w+|(?<!data\.)\baws_\w+\.\w+)\b", text))
    resources = {name for name in declared(whole) if name.startswith("aws_")}
    assert used <= set(declared(whole))
    assert set(declared(whole)) - resources <= used
    assert all(block["description"] for kind in ("variable", "output") for v in whole[kind] for block in v.values())


def test_the_role_may_do_what_policy_prints() -> None:
    """No more, on no more, and for whoever shows the external id alone."""
    whole = read(ROOT / "deploy" / "terraform" / "cross-account-role")
    printed = statements("discovery-with-tags.json")
    assert [(s["sid"], s["actions"]) for s in policy(whole, "read")] == [(s["Sid"], s["Action"]) for s in printed]
    everything, sources = policy(whole, "read")
    assert everything["resources"] == ["*"]
    assert sources["resources"].endswith(printed[1]["Resource"][0].rpartition(":")[2] + '"]}')
    (trust,) = policy(whole, "trust")
    (printed_trust,) = statements("trust-other-account.json")
    assert trust["actions"] == [printed_trust["Action"]]
    assert [condition["variable"] for condition in trust["condition"]] == ["sts:ExternalId"]


def test_the_exporters_role_may_assume_and_nothing_else() -> None:
    """The roles that it is given; it is assumed by pods."""
    whole = read(ROOT / "deploy" / "terraform" / "exporter-role")
    (assume,) = policy(whole, "assume")
    assert (assume["actions"], assume["resources"]) == (
        statements("assume-other-account.json")[0]["Action"],
        "${var.role_arns}",
    )
    (trust,) = policy(whole, "trust")
    (printed,) = statements("trust-pod-identity.json")
    assert trust["actions"] == printed["Action"]
    assert trust["principals"][0]["identifiers"] == [printed["Principal"]["Service"]]


def test_checkov_finds_nothing() -> None:
    """Its checks of Terraform, offline."""
    folder = str(ROOT / "deploy" / "terraform")
    scan = ["checkov", "--directory", folder, "--framework", "terraform", "--skip-download", "--output", "json"]
    scanned = json.loads(subprocess.run(scan, capture_output=True, check=False).stdout)
    assert scanned["summary"]["passed"] > 40
    assert scanned["summary"]["failed"] == 0
