"""Measures the series and bytes that each metric family of data sources adds to a scrape.

`python -m benchmarks.series [SIZE]`; without a size, the results are written into benchmarks/README.md. The results do
not depend on the machine.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.report import table, write_section
from benchmarks.saved_state import make_snapshot
from exporter.domain.units import DAY
from exporter.exposition.gzip import CompressedBlock
from exporter.metrics import SourceFamilies
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.rules.families import rules_by_family

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZE = 2_500
NOW = 1_795_478_400.0  # a Monday, 00:00 UTC
COLUMNS = ("family", "series per data source", "series", "size", "with gzip", "rules that need it")


class FamilyCost(NamedTuple):
    """The lines of a family in one scrape: their number, and their bytes without and with gzip."""

    name: str
    series: int
    plain: int
    deflated: int
    rules: int

    def row(self, size: int) -> list[str]:
        """Return the cells of the table."""
        plain, deflated = (f"{count / 1e6:.2f} MB" for count in (self.plain, self.deflated))
        return [self.name, f"{self.series / size:.1f}", f"{self.series:,}", plain, deflated, str(self.rules or "")]


def main(sizes: list[int]) -> int:
    """Print the table, and write it into the page if no size is given."""
    size = sizes[0] if sizes else SIZE
    costs = sorted(_costs(size), key=lambda cost: -cost.series)
    totals = [_total("all families", costs), _total("families that no rule needs", [c for c in costs if not c.rules])]
    results = table(COLUMNS, [cost.row(size) for cost in (*totals, *costs)])
    print(results)
    if not sizes:
        write_section("series", results)
    return 0


def _costs(size: int) -> list[FamilyCost]:
    """Return the cost of each family that the fleet has."""
    families = SourceFamilies(QBUSINESS, DAY)
    lines: dict[str, list[bytes]] = {name: [] for name in families.declared()}
    for number in range(size):
        snapshot = make_snapshot(number, NOW)
        view = families.view(snapshot, NOW)
        for part in range(len(families.part_inputs(snapshot))):
            for name, (text, _) in families.lines(view, part).items():
                lines[name].append(text)
    rules = rules_by_family(lines)
    return [_cost(name, b"".join(texts), len(rules.get(name, ()))) for name, texts in lines.items() if any(texts)]


def _cost(name: str, plain: bytes, rules: int) -> FamilyCost:
    return FamilyCost(name, plain.count(b"\n"), len(plain), len(CompressedBlock(plain).deflated), rules)


def _total(name: str, costs: Sequence[FamilyCost]) -> FamilyCost:
    """Return the sum of some costs, without rules, because a rule that needs two families would count twice."""
    series, plain, deflated = (
        sum(getattr(cost, column) for cost in costs) for column in ("series", "plain", "deflated")
    )
    return FamilyCost(name, series, plain, deflated, rules=0)


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]]))
