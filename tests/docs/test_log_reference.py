"""The log messages in docs/logs.md."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/logs.md").read_text()
LEVELS = {"warning", "error"}


def documented() -> set[str]:
    """Return the messages of the tables."""
    rows = (line.split("|") for line in PAGE.splitlines() if line.startswith("| `") and "`msg`" not in line)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row[1])}


def logged(path: Path) -> set[str]:
    """Return the messages of warnings and errors in a module."""
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call) and node.args)
    messages = (call.args[0] for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr in LEVELS)
    return {
        message.value for message in messages if isinstance(message, ast.Constant) and isinstance(message.value, str)
    }


def test_the_program_logs_every_documented_message() -> None:
    """Each message of the tables is a string in the code."""
    code = "".join(path.read_text() for path in (ROOT / "exporter").rglob("*.py"))
    assert len(documented()) > 15
    assert {name for name in documented() if f'"{name}"' not in code} == set()


def test_every_warning_and_error_of_the_running_program_is_documented() -> None:
    """The commands of `cli/` print theirs to the operator who runs them."""
    modules = [path for path in (ROOT / "exporter").rglob("*.py") if path.parent.name != "cli"]
    assert set().union(*map(logged, modules)) - documented() == set()
