"""Results of the benchmarks, written into the page that shows them, so that no measured figure is typed by hand.

Each benchmark owns a section of benchmarks/README.md, between the lines `<!-- NAME: begin -->` and
`<!-- NAME: end -->`.
"""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PAGE = Path(__file__).with_name("README.md")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows))


def environment() -> str:
    """Return a sentence with the date, the version of Python and the number of processors."""
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    return f"Measured on {date} with Python {platform.python_version()} on {os.cpu_count()} processors."


def write_section(name: str, results: str, page: Path = PAGE) -> None:
    """Replace a section of a page; raise ValueError unless the page has its two markers once and in order."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    text = page.read_text()
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    if text.count(begin) != 1 or rest.count(end) != 1:
        raise ValueError(f"{page.name} does not have one section {name}")
    page.write_text(f"{before}{begin}\n{results.strip()}\n\n{end}{after}")
