"""Two exporters that watch the same account, each with its own state file."""

from __future__ import annotations

import resource
import signal
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from tests.support.harness import Program, free_port, serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_UNLIMITED = resource.RLIM_INFINITY


class ReplicaProgram:
    """An exporter that keeps its address over restarts, and whose disk and configuration a test can break.

    Its log is a file on that disk.
    """

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        folder.mkdir()
        self._file = folder / "config.yaml"
        self.log = (folder / "log").open("ab")
        self.program: Program = serve(folder, config)
        self.program.stderr = self.log.fileno()
        self.program.listen = f"127.0.0.1:{free_port()}"

    def restart(self, number: signal.Signals) -> float:
        """Stop it with a signal and start it again; return the seconds of downtime."""
        stopped_at = time.monotonic()
        self.program.stop(number)
        self.program.kill()
        self.program.start()
        return time.monotonic() - stopped_at

    def break_down(self) -> None:
        """Make writes to its disk fail, and reload a configuration with an error."""
        self._limit_file_size(0)
        self._reload(self._file.read_text().replace("polling:", "poling:"))

    def recover(self) -> None:
        """Make the disk writable again, and reload the correct configuration."""
        self._limit_file_size(_UNLIMITED)
        self._reload(self._file.read_text().replace("poling:", "polling:"))

    def _limit_file_size(self, size: int) -> None:
        resource.prlimit(self.program.process.pid, resource.RLIMIT_FSIZE, (size, _UNLIMITED))

    def _reload(self, config: str) -> None:
        self._file.write_text(config)
        self.program.process.send_signal(signal.SIGHUP)


class Replicas:
    """Two replicas, `a` and `b`; a context manager that waits until both are ready."""

    def __init__(self, folder: Path, config: Callable[[Path], dict[str, Any]]) -> None:
        self.a, self.b = (ReplicaProgram(folder / name, config(folder / name / "state.db")) for name in "ab")

    def __enter__(self) -> Self:
        """Start both, and wait until both are ready."""
        with ExitStack() as started:
            for replica in (self.a, self.b):
                started.enter_context(replica.log)
                started.enter_context(replica.program)
            for replica in (self.a, self.b):
                replica.program.until_ready()
            self._running = started.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill both."""
        self._running.close()

    def targets(self) -> list[dict[str, Any]]:
        """Return both as static scrape configurations of Prometheus, with the label `instance`."""
        replicas = {"a": self.a, "b": self.b}
        return [{"targets": [each.program.listen], "labels": {"instance": name}} for name, each in replicas.items()]
