"""Prints the section of a version in CHANGELOG.md, for the page of the release."""

from __future__ import annotations

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"


def section(changelog: str, version: str) -> str:
    """Return the text below the heading of a version; raise ValueError if there is none, or if it is empty."""
    found = re.search(rf"^## {re.escape(version)}(?: [^\n]*)?\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    text = found[1].strip() if found else ""
    if not text:
        message = f"CHANGELOG.md has no section for {version}: rename the heading of the unreleased changes"
        raise ValueError(message)
    return text


if __name__ == "__main__":
    try:
        print(section(CHANGELOG.read_text(), sys.argv[1]))
    except ValueError as error:
        sys.exit(str(error))
