"""Rows of the results, and where they are written."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.servers.contenders import CONTENDERS, HYPERCORN, OURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- results of python -m benchmarks.servers -->", "<!-- end of the results -->"
_HEAD = ("measured", *CONTENDERS, "hypercorn / ours")


@dataclass(frozen=True)
class Row:
    """One measure of every server, in words, and the ratio of two of them."""

    measured: str
    values: Mapping[str, str]
    ratio: float | None = None

    def __str__(self) -> str:
        """Return a row of a Markdown table."""
        ratio = f"{self.ratio:.2g}" if self.ratio is not None else ""
        return _line([self.measured, *(self.values.get(name, "") for name in CONTENDERS), ratio])


def row_of(measured: str, figures: Mapping[str, Sequence[float]], unit: str, factor: float = 1) -> Row:
    """Return a row of medians."""
    medians = {name: statistics.median(each) for name, each in figures.items() if each}
    values = {name: f"{median * factor:,.3g} {unit}" for name, median in medians.items()}
    compared = medians.get(HYPERCORN), medians.get(OURS)
    ratio = compared[0] / compared[1] if compared[0] is not None and compared[1] else None
    return Row(measured, values, ratio)


def table(rows: Iterable[Row]) -> str:
    """Return a Markdown table."""
    return "\n".join([_line(_HEAD), _line(["---"] * len(_HEAD)), *map(str, rows)])


def write(results: str) -> None:
    """Replace the results in README.md."""
    before, _, rest = README.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    README.write_text(f"{before}{BEGIN}\n\n{results}\n\n{END}{after}")


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
