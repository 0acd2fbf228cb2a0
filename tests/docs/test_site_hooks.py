"""Links of the documentation site to files of the repository."""

from __future__ import annotations

import pytest

from docs.site_hooks import outside


@pytest.mark.parametrize(
    ("text", "repository", "expected"),
    [
        ("the rules", None, "the rules (`deploy/rules`)"),
        ("deploy/rules/", None, "`deploy/rules`"),
        ("the rules", "https://git.test/exporter/", "[the rules](https://git.test/exporter/blob/main/deploy/rules)"),
    ],
)
def test_a_link_out_of_the_site(text: str, repository: str | None, expected: str) -> None:
    """It needs the address of the repository; without one, a reader sees the path."""
    assert outside(text, "deploy/rules", repository) == expected
