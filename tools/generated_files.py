"""Updates generated files, or reports those that are out of date."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[1]


def bring_up_to_date(files: Mapping[Path, str], arguments: Sequence[str]) -> int:
    """Write the stale files, or with --check only report them, and return the exit code."""
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    check = "--check" in arguments
    for path in stale:
        name = path.relative_to(ROOT)
        if check:
            print(f"{name} is out of date: run make generate")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path])
            print(f"wrote {name}")
    return 1 if stale and check else 0
