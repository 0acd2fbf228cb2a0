"""The imports of the program before a command runs."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

LARGE = {
    "boto3",
    "botocore.session",
    "jinja2",
    "prometheus_client",
    "pydantic",
    "sqlite3",
    "starlette",
    "uvicorn",
    "yaml",
}


@pytest.mark.parametrize("arguments", [["-h"], ["check", "--help"], ["--version"]], ids=" ".join)
def test_help_and_version_import_no_large_library(arguments: list[str]) -> None:
    """Each of these libraries takes longer to import than the help takes to print."""
    command = [sys.executable, "-X", "importtime", "-m", "exporter", *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "qbusiness-exporter" in finished.stdout
    imported = set(re.findall(r"^import time:.*\|\s*(\S+)$", finished.stderr, re.MULTILINE))
    assert "exporter.cli.arguments" in imported
    assert not imported & LARGE


def test_a_start_imports_no_template_engine() -> None:
    """Only pages and rules need it, and the first scrape would have to wait for its import."""
    program = "import sys, exporter.cli.serve; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
