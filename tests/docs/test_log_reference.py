"""The log messages in docs/logs.md."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_program_logs_every_documented_message() -> None:
    """Each message of the table is a string in the code."""
    table = [line for line in (ROOT / "docs/logs.md").read_text().splitlines() if line.startswith("| `")]
    documented = {name for line in table[1:] for name in re.findall(r"`([^`]+)`", line.split("|")[1])}
    code = "".join(path.read_text() for path in (ROOT / "exporter").rglob("*.py"))
    assert len(documented) > 15
    assert {name for name in documented if f'"{name}"' not in code} == set()
