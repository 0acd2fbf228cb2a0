"""The program as a process: the assembly that `serve` runs, on a virtual host, with a state file that survives it."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING, Any

from exporter.app.dependencies import Overrides
from exporter.app.exporter import Exporter
from exporter.cli.config_files import Configuration
from exporter.cli.serve import reload
from exporter.exposition import ExpositionCache
from exporter.metrics.telemetry import Telemetry
from simulation.disk import FallibleStore
from simulation.settings import account_of, config_of
from simulation.virtual_clock import VirtualHost
from simulation.wire import VirtualAwsClient

if TYPE_CHECKING:
    from pathlib import Path

    from simulation.disk import Disk
    from simulation.state import WeekState

FILES = ("state.db", "state.db-wal", "state.db-shm")


class LazyExpositionCache(ExpositionCache[Any]):
    """A cache that renders at the next scrape: in a simulated week, most snapshots are replaced before one."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._waiting: dict[str, tuple[Any, Any]] = {}

    def put(self, key: str, snapshot: Any, clock: Any) -> None:
        """Keep a snapshot until the next scrape renders it."""
        self._waiting[key] = (snapshot, clock)

    def remove(self, key: str) -> None:
        """Remove a snapshot."""
        self._waiting.pop(key, None)
        super().remove(key)

    def use_families(self, families: Any) -> None:
        """Render all snapshots by other declarations."""
        self._render_all()
        super().use_families(families)

    def pieces(self, wanted: Any) -> list[Any]:
        """Return all families, as they are now."""
        self._render_all()
        return super().pieces(wanted)

    def _render_all(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for key, (snapshot, clock) in waiting.items():
            super().put(key, snapshot, clock)


class Process:
    """One life of the program, from its start to its end."""

    def __init__(self, state: WeekState, disk: Disk, number: int) -> None:
        self.number = number
        self.started = state.clock.now
        self.host = VirtualHost(state.clock, state.clock_error)
        self.was_ready = False
        self.is_stopping = False
        self._store: FallibleStore | None = None
        self._directory = _inherit(state.directory, number)
        config = config_of({**state.settings, "state": {"path": str(self._directory / FILES[0])}})
        overrides = Overrides(
            host=self.host,
            connect=partial(VirtualAwsClient, lambda target: account_of(target, state.accounts)),
            open_state=self._open(disk),
            cache=LazyExpositionCache if state.renders_lazily else ExpositionCache,
            random=state.dice,
        )
        self.exporter = Exporter(config, [], telemetry=Telemetry(of_process=False), overrides=overrides)
        self.exporter.start_polling()

    @property
    def state_file(self) -> Path:
        """Give the state file."""
        return self._directory / FILES[0]

    def has_unwritten(self) -> bool:
        """Tell whether something is shown that a crash would take away."""
        return self._store is not None and self._store.has_unwritten()

    def known_running(self, key: str) -> list[str]:
        """Give the jobs of a source that are written down as in progress."""
        history = self._store.history(key) if self._store and not self._store.has_unwritten() else None
        return [job.execution_id for job in history.in_progress()] if history else []

    def reload(self, settings: dict[str, Any]) -> list[str]:
        """Have the program read another configuration."""
        config = config_of({**settings, "state": {"path": str(self.state_file)}})
        return reload(self.exporter, lambda: Configuration(config, (), "simulated"))

    def stop(self, stopped: Any) -> None:
        """Ask the program to stop, and tell when it has."""

        def work() -> None:
            self.is_stopping = True
            self.exporter.stop()
            self.host.timeline.at(self.host.timeline.now, stopped)

        self.host.thread("operator", work).start()

    def bury(self) -> None:
        """Let nothing of it go on, nor anything be written any more."""
        self.host.kill()
        self._kept = _copy(self._directory)
        if self._store:
            self._store.close()
        shutil.rmtree(self._directory)
        self._kept.rename(self._directory)

    def _open(self, disk: Disk) -> Any:
        def open_state(path: str, on_write_failure: Any) -> FallibleStore:
            self._store = FallibleStore(disk, path, on_write_failure)
            return self._store

        return open_state


def _copy(directory: Path) -> Path:
    """Copy the files as they are on the disk: closing them would write what a crash does not."""
    kept = directory.with_suffix(".kept")
    kept.mkdir()
    for name in FILES:
        if (directory / name).exists():
            shutil.copyfile(directory / name, kept / name)
    return kept


def _inherit(parent: Path, number: int) -> Path:
    """Give the directory of a process: a new one, with the files that the one before left."""
    mine, before = parent / str(number), parent / str(number - 1)
    if before.exists():
        before.rename(mine)
    else:
        mine.mkdir()
    return mine
