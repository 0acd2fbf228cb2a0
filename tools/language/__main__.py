"""The command line: print every finding, and exit 1 if there are any."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tools.language.check import check_file, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NODE_PACKAGES = "node_modules"


def main(arguments: Sequence[str] | None = None) -> int:
    """Check files and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.language", description=__doc__)
    parser.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="file or directory (default: tracked files)"
    )
    paths = parser.parse_args(arguments).paths or _tracked()
    reports = [check_file(path) for path in _files(paths)]
    lines = [line for report in reports for line in report.lines]
    waivers = sum(report.waivers for report in reports)
    print(*lines, sep="\n", end="\n" if lines else "")
    print(f"{len(reports)} files, {len(lines)} findings, {waivers} waivers", file=sys.stderr)
    return 1 if lines else 0


def _tracked() -> list[Path]:
    """List the files that git tracks below the working directory."""
    command = ["git", "ls-files", "-z"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [Path(name) for name in listing.split("\0") if name]


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the files to check. In directories, hidden files and installed Node.js packages are skipped."""
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            is_skipped = any(part.startswith(".") or part == NODE_PACKAGES for part in file.relative_to(path).parts)
            if file.is_file() and kind_of(file) and not is_skipped:
                yield file


if __name__ == "__main__":
    sys.exit(main())
