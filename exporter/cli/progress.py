"""Progress of the first pass, which `export` and `backfill` wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.app.exporter import Exporter

INTERVAL = 0.1  # seconds


def wait_for_first_pass(exporter: Exporter, pause: Callable[[float], None]) -> None:
    """Wait until every data source was polled, and print the progress if stderr is a terminal."""
    with tqdm(desc="polling", unit=" data sources", disable=None, leave=False) as progress:
        while exporter.first_pass.is_on():
            done, total = exporter.first_pass.polled()
            progress.total = total
            progress.update(done - progress.n)
            pause(INTERVAL)
