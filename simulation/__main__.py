"""Run seeds, each a week of the whole program on virtual time."""

from __future__ import annotations

import argparse
import sys

from simulation.runner import run_many
from simulation.world import run


def main(argv: list[str] | None = None) -> int:
    """Run one seed or many; gives 1 where one fails."""
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this one, and print the digest of all that happened")
    parser.add_argument("--trace", action="store_true", help="print every event of it")
    parser.add_argument("--seeds", type=int, default=1000, help="run so many (default: %(default)s)")
    parser.add_argument("--first", type=int, default=1, help="the first of them (default: %(default)s)")
    parser.add_argument("--days", type=float, default=7.0, help="how long each lasts (default: %(default)s)")
    arguments = parser.parse_args(argv)
    if arguments.seed is not None:
        print(run(arguments.seed, print if arguments.trace else None, arguments.days).digest)
        return 0
    report = run_many(range(arguments.first, arguments.first + arguments.seeds), arguments.days, print)
    print(report)
    return int(bool(report.failed))


if __name__ == "__main__":
    sys.exit(main())
