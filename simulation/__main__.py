"""Simulates the whole program on virtual time, one week or one cluster of replicas for each seed."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING

from simulation import world
from simulation.replicas import world as cluster
from simulation.runner import run_many
from simulation.services import ALL

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulation.world import Result


def main(argv: list[str] | None = None) -> int:
    """Run one seed or many; return 1 if one fails."""
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this seed only, and print the digest of all its events")
    parser.add_argument("--trace", action="store_true", help="with --seed: print every event")
    parser.add_argument("--seeds", type=int, default=1000, help="number of seeds to run (default: %(default)s)")
    parser.add_argument("--first", type=int, default=1, help="first seed to run (default: %(default)s)")
    parser.add_argument("--days", type=float, default=7.0, help="simulated days for each seed (default: %(default)s)")
    parser.add_argument("--service", choices=ALL, help="service of a week (default: that of the seed)")
    parser.add_argument("--replicas", action="store_true", help="simulate minutes of several replicas, and not weeks")
    arguments = parser.parse_args(argv)
    run: Callable[..., Result] = (
        cluster.run if arguments.replicas else partial(world.run, days=arguments.days, service=arguments.service)
    )
    if arguments.seed is not None:
        print(run(arguments.seed, print if arguments.trace else None).digest)
        return 0
    report = run_many(range(arguments.first, arguments.first + arguments.seeds), run)
    print(report)
    return int(bool(report.failed))


if __name__ == "__main__":
    sys.exit(main())
