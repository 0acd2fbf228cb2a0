"""What deploy/ holds that is copied from elsewhere, and what it says that the code says too."""

from __future__ import annotations

import pytest
import yaml

from deploy.generate import CHART, HERE, pages
from exporter import __version__
from exporter.cli import main

EXAMPLES = sorted(HERE.rglob("config.yaml"))
COPIED = (CHART / "files", HERE / "iam", HERE / "kubernetes" / "operator")


def test_copies_are_what_they_copy() -> None:
    """Rules, dashboards, the configuration's schema and policies: make chart brings them up to date."""
    for path, text in pages().items():
        assert path.read_text() == text, path


def test_nothing_is_left_of_what_is_gone() -> None:
    """A rule file or dashboard that was removed is not installed any more."""
    made = {*pages(), HERE / "kubernetes" / "operator" / "servicemonitor.yaml"}
    assert {path for folder in COPIED for path in folder.rglob("*") if path.is_file()} <= made


def test_the_chart_is_of_this_version() -> None:
    """Its own version and the image's."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(HERE)))
def test_example_configurations_are_right(path: object, capsys: pytest.CaptureFixture[str]) -> None:
    """The exporter itself says so."""
    assert main(["check", f"--config.file={path}"]) == 0, capsys.readouterr().err
