"""Plants defects in the program, and searches for a seed that finds each of them."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from os import cpu_count
from typing import TYPE_CHECKING

import pytest

from simulation.trace import DefectError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulation.world import Result

MAX_SEEDS = 300  # seeds that may run until one finds a defect


def find_all(
    defects: Sequence[Callable[[pytest.MonkeyPatch], None]], run: Callable[[int], Result]
) -> dict[str, int | str]:
    """Return the first seed that finds each defect, or the error, by the name of the defect."""
    with ProcessPoolExecutor(cpu_count()) as pool:
        found = pool.map(partial(_find, run), defects)
        return dict(zip((defect.__name__ for defect in defects), found, strict=True))


def _find(run: Callable[[int], Result], defect: Callable[[pytest.MonkeyPatch], None]) -> int | str:
    """Plant a defect and run one seed after another; return the first one that fails an invariant, or the error.

    A defect replaces a function or a constant of the program by a wrong one. Most of these are private, so a rename
    breaks the patch. Then `setattr` raises an error, or the program raises an exception, which is not a finding.
    """
    with pytest.MonkeyPatch.context() as patch:
        defect(patch)
        for seed in range(1, MAX_SEEDS + 1):
            try:
                run(seed)
            except DefectError as error:
                return f"seed {seed} raised an exception: {error}"
            except AssertionError:
                return seed
    return f"no invariant failed in {MAX_SEEDS} seeds"
