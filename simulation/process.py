"""A process of the program: the exporter of `serve` on a virtual host, with a persistent state file."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING, Any

from exporter.app.dependencies import Overrides
from exporter.app.exporter import Exporter
from exporter.app.state import LocalState
from exporter.cli.config_files import Configuration
from exporter.cli.serve import Reloader
from exporter.exposition import ExpositionCache
from exporter.metrics.telemetry import Telemetry
from simulation.aws_client import VirtualAwsClient
from simulation.disk import FallibleStore
from simulation.settings import account_of, config_of
from simulation.stderr import ProcessLog
from simulation.virtual_host import VirtualHost

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.app.state import StateContext
    from exporter.config import StateConfig
    from exporter.domain.counting.source_history import SourceHistory
    from simulation.disk import SimulatedDisk
    from simulation.state import WeekState

FILES = ("state.db", "state.db-wal", "state.db-shm")


class LazyExpositionCache(ExpositionCache[Any]):
    """A cache that renders at the next scrape, because most snapshots in a simulated week are replaced before one."""

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
        """Render all snapshots with other declarations."""
        self._render_all()
        super().use_families(families)

    def pieces(self, wanted: Any) -> list[Any]:
        """Return all families, as of now."""
        self._render_all()
        return super().pieces(wanted)

    def _render_all(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for key, (snapshot, clock) in waiting.items():
            super().put(key, snapshot, clock)


class Process:
    """One run of the program, from its start to its end."""

    def __init__(self, state: WeekState, disk: SimulatedDisk, number: int) -> None:
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
            random=state.rng,
        )
        self.log = ProcessLog(state.stderr)
        state.trace.write_log = self.log.write
        telemetry = Telemetry(process_metrics=False, log_lines_dropped=self.log.dropped)
        self.exporter = Exporter(config, [], telemetry=telemetry, overrides=overrides)
        self.exporter.start_polling()

    @property
    def state_file(self) -> Path:
        """Return the path of the state file."""
        return self._directory / FILES[0]

    def has_unwritten(self) -> bool:
        """Return whether the page contains state that a crash would lose."""
        return self._store is not None and self._store.has_unwritten()

    def known_unfinished(self, key: str) -> list[str]:
        """Return the jobs of a data source without an end in the state file, listed or not."""
        history = self._store.history(key) if self._store and not self._store.has_unwritten() else None
        return [job.execution_id for job in history.unfinished_jobs()] if history else []

    def catching_up(self) -> set[str]:
        """Return the ids of the data sources with jobs that a catch-up has not read yet."""
        return {source_id for source_id, history in self.histories().items() if history.unread}

    def histories(self) -> dict[str, SourceHistory]:
        """Return the histories of the watched data sources, by their ids."""
        found = {key: self._store.history(key) for key in self._watched_keys()} if self._store else {}
        return {key.rsplit("/", 1)[1]: history for key, history in found.items() if history}

    def watched(self) -> dict[str, set[str]]:
        """Return the ids of the data sources that each target watches."""
        targets = self.exporter.targets
        return {target.name: {key.rsplit("/", 1)[1] for key in target.sources.ids()} for target in targets}

    def _watched_keys(self) -> set[str]:
        return {key for target in self.exporter.targets for key in target.sources.ids()}

    def reload(self, settings: dict[str, Any]) -> list[str]:
        """Reload the program with another configuration; return the problems of the reload."""
        config = config_of({**settings, "state": {"path": str(self.state_file)}})
        return Reloader(lambda: Configuration(config, (), "simulated"), config).reload(self.exporter)

    def stop(self, stopped: Callable[[], None]) -> None:
        """Stop the program in a thread, and call back when it has stopped."""

        def work() -> None:
            self.is_stopping = True
            self.exporter.stop()
            self.host.clock.after(0.0, stopped)

        self.host.thread("operator", work).start()

    def kill(self) -> None:
        """Kill all threads, and leave the files as a crash leaves them."""
        self.host.kill()
        self.log.close()
        copy = _copy(self._directory)
        if self._store:
            self._store.close()
        shutil.rmtree(self._directory)
        copy.rename(self._directory)

    def _open(self, disk: SimulatedDisk) -> Any:
        def open_state(config: StateConfig, context: StateContext) -> LocalState:
            self._store = FallibleStore(disk, config.path, context.on_write_failure)
            return LocalState(self._store, config.path)

        return open_state


def _copy(directory: Path) -> Path:
    """Copy the files as they are on the disk, because closing the store would write changes that a crash loses."""
    kept = directory.with_suffix(".kept")
    kept.mkdir()
    for name in FILES:
        if (directory / name).exists():
            shutil.copyfile(directory / name, kept / name)
    return kept


def _inherit(parent: Path, number: int) -> Path:
    """Return the directory of a process, with the files that the previous process left."""
    mine, before = parent / str(number), parent / str(number - 1)
    if before.exists():
        before.rename(mine)
    else:
        mine.mkdir()
    return mine
