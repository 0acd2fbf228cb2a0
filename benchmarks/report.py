"""Writes results of benchmarks into the page that shows them, so that no measured figure is typed by hand.

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
    from collections.abc import Callable, Iterable, Sequence

    from _typeshed import SupportsRichComparison

PAGE = Path(__file__).with_name("README.md")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows))


def environment() -> str:
    """Return a sentence with the date, the version of Python and the number of processors."""
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    return f"Measured on {date} with Python {platform.python_version()} on {os.cpu_count()} processors."


def write_rows(
    name: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    place: Callable[[Sequence[str]], SupportsRichComparison],
    page: Path = PAGE,
) -> None:
    """Write rows into the table of a section, where they replace those with the same first two cells."""
    _, section, _ = _parts(name, page.read_text())
    kept = [line[2:-2].split(" | ") for line in section.strip().splitlines()[2:]]
    merged = {tuple(row[:2]): row for row in (*kept, *rows)}
    write_section(name, table(columns, sorted(merged.values(), key=place)), page)


def write_section(name: str, results: str, page: Path = PAGE) -> None:
    """Replace a section of a page; raise ValueError unless the page has its two markers once and in order."""
    before, _, after = _parts(name, page.read_text())
    page.write_text(f"{before}\n{results.strip()}\n\n{after}")


def _parts(name: str, text: str) -> tuple[str, str, str]:
    """Return the text of a page up to a section, the section, and the rest."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    before, _, rest = text.partition(begin)
    section, _, after = rest.partition(end)
    if text.count(begin) != 1 or rest.count(end) != 1:
        raise ValueError(f"the page does not have one section {name}")
    return before + begin, section, end + after
