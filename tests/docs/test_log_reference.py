"""What the documentation says of the log is what the program logs."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_line_that_is_documented_is_one_that_is_logged() -> None:
    """Word for word."""
    table = [line for line in (ROOT / "docs/logs.md").read_text().splitlines() if line.startswith("| `")]
    documented = {name for line in table[1:] for name in re.findall(r"`([^`]+)`", line.split("|")[1])}
    code = "".join(path.read_text() for path in (ROOT / "exporter").rglob("*.py"))
    assert len(documented) > 15
    assert {name for name in documented if f'"{name}"' not in code} == set()
