"""`python -m virtual`: run seeds, each a week of the whole program on virtual time."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from os import cpu_count

from virtual.world import Result, run


def main(argv: list[str] | None = None) -> int:
    """Run one seed or many; gives 1 where one fails."""
    parser = argparse.ArgumentParser(prog="python -m virtual", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this one")
    parser.add_argument("--trace", action="store_true", help="print every event")
    parser.add_argument("--seeds", type=int, default=1000, help="run so many (default: %(default)s)")
    parser.add_argument("--first", type=int, default=1, help="the first of them (default: %(default)s)")
    parser.add_argument("--days", type=float, default=7.0, help="how long each lasts (default: %(default)s)")
    arguments = parser.parse_args(argv)
    if arguments.seed is not None:
        result = run(arguments.seed, print if arguments.trace else None, arguments.days)
        print(result.digest)
        return 0
    return _many(range(arguments.first, arguments.first + arguments.seeds), arguments.days)


def _many(seeds: range, days: float) -> int:
    began, hours, counts, failed = time.monotonic(), 0.0, Counter[str](), []
    with ProcessPoolExecutor(cpu_count()) as pool:
        running = {pool.submit(run, seed, None, days): seed for seed in seeds}
        for done in as_completed(running):
            error = done.exception()
            if error is not None:
                failed.append(running[done])
                notes = "\n".join(getattr(error, "__notes__", []))
                print(f"seed {running[done]}: {type(error).__name__}: {error}\n{notes}\n")
                continue
            result: Result = done.result()
            hours += result.hours
            counts += result.counts
    print(
        f"{len(seeds)} seeds, {hours:,.0f} virtual hours in {time.monotonic() - began:.0f} s; failed: {sorted(failed)}"
    )
    print(", ".join(f"{kind} {count:,}" for kind, count in counts.most_common()))
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
