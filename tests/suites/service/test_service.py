"""A further service costs its package, its simulated API and its lines in the registry."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tests.suites.service.fourth_service import NAME, FourthService

if TYPE_CHECKING:
    from pathlib import Path

WRITTEN = (f"exporter/providers/{NAME}/", f"exporter/simulator/{NAME}", f"tests/providers/{NAME}/case.py")
REGISTRY = "exporter/providers/registry.py"
TESTS = (
    "tests/app/test_services.py",
    "tests/aws/test_policy.py",
    "tests/cli/test_demo.py",
    "tests/cli/test_discover.py",
    "tests/cli/test_policy.py",
    "tests/cli/test_rules.py",
    "tests/config/test_load.py",
    "tests/deploy/test_generated.py",
    "tests/docs",
    "tests/metrics/test_golden.py",
    "tests/providers",
    "tests/rules/test_services.py",
    "tests/simulation/test_weeks.py",
    "tests/tools",
    "tests/web/test_status.py",
)


def test_a_further_service_takes_no_other_change(tmp_path: Path) -> None:
    """All other files are generated. The checks and the tests that concern every service pass, with its own cases."""
    service = FourthService(tmp_path / "repository")
    assert {name for name in service.make() if not name.startswith(WRITTEN)} == {REGISTRY}
    service.run("make", "generate", f"VENV={sys.prefix}")
    service.run("make", "check", f"VENV={sys.prefix}")
    service.run(sys.executable, "-m", "pytest", "-q", "-m", "not trial", *TESTS)
