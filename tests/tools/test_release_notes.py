"""The notes of a release."""

from __future__ import annotations

import pytest

from tools.release_notes import section

CHANGELOG = """# Changelog

## Unreleased

## 0.2.0 - 2027-01-31

### Added

- A feature.

## 0.1.0 - 2026-12-01

- The first release.
"""


@pytest.mark.parametrize(
    ("version", "notes"), [("0.2.0", "### Added\n\n- A feature."), ("0.1.0", "- The first release.")]
)
def test_the_notes_are_the_section_of_the_version(version: str, notes: str) -> None:
    """They end where the next section begins."""
    assert section(CHANGELOG, version) == notes


@pytest.mark.parametrize("version", ["0.3.0", "0.2", "Unreleased"])
def test_a_release_without_notes_is_an_error(version: str) -> None:
    """The section is missing, or it is empty."""
    with pytest.raises(ValueError, match=f"no section for {version}"):
        section(CHANGELOG, version)
