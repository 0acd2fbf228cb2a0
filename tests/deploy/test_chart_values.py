"""The descriptions of the chart's values, from the comments of values.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.chart_values import DescribedValue, described_values

if TYPE_CHECKING:
    from pathlib import Path


def test_a_description_continues_in_the_following_comments(tmp_path: Path) -> None:
    """A mapping with a description is one value; other comments are not part of a description."""
    file = tmp_path / "values.yaml"
    file.write_text(
        "# About the image.\nimage:\n  # -- where it is,\n  # and what it is called\n  name: exporter\n"
        "# -- limits\nresources: {limits: {memory: 1Gi}}\n"
    )
    assert described_values(file) == [
        DescribedValue("image.name", '"exporter"', "where it is, and what it is called"),
        DescribedValue("resources", '{"limits": {"memory": "1Gi"}}', "limits"),
    ]


def test_a_value_without_a_description_is_an_error(tmp_path: Path) -> None:
    """The message has the line and the path of the value."""
    file = tmp_path / "values.yaml"
    file.write_text("image:\n  # a name\n  name: exporter\n")
    with pytest.raises(ValueError, match=r"values\.yaml:3: image\.name has no description"):
        described_values(file)
