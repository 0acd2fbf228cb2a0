"""Rows of the comparison: a value for each server, and the ratio of two values."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.report import table
from benchmarks.servers.candidates import CANDIDATES, EXPORTER, HYPERCORN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

COLUMNS = ("measured", *CANDIDATES, f"{HYPERCORN} / {EXPORTER}")


@dataclass(frozen=True)
class Row:
    """One measurement of every server as text, and the ratio of two measurements."""

    measured: str
    values: Mapping[str, str]
    ratio: float | None = None

    def cells(self) -> list[str]:
        """Return the cells of the row; empty for servers that were not measured."""
        ratio = f"{self.ratio:.2g}" if self.ratio is not None else ""
        return [self.measured, *(self.values.get(name, "") for name in CANDIDATES), ratio]


def row_of(measured: str, figures: Mapping[str, Sequence[float]], unit: str, factor: float = 1) -> Row:
    """Return a row of medians."""
    medians = {name: statistics.median(each) for name, each in figures.items() if each}
    values = {name: f"{_round(median * factor)} {unit}" for name, median in medians.items()}
    compared = medians.get(HYPERCORN), medians.get(EXPORTER)
    ratio = compared[0] / compared[1] if compared[0] is not None and compared[1] else None
    return Row(measured, values, ratio)


def comparison(rows: Iterable[Row]) -> str:
    """Return a Markdown table."""
    return table(COLUMNS, (row.cells() for row in rows))


def _round(value: float) -> str:
    """Return a small number with three digits, and other numbers as whole numbers."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 (three digits)
