"""Two exporters that watch the same, each with a state file of its own."""

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

_FOR_EVER = resource.RLIM_INFINITY


class Replica:
    """One of them, always at the same address; what can go wrong with it, it can be brought to."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        folder.mkdir()
        self._file = folder / "config.yaml"
        self.program: Program = serve(folder, config)
        self.program.listen = f"127.0.0.1:{free_port()}"

    def restart(self, number: signal.Signals) -> float:
        """End it by a signal and start it again; give how many seconds it was gone."""
        began = time.monotonic()
        self.program.stop(number)
        self.program.kill()
        self.program.log.clear()
        self.program.start()
        return time.monotonic() - began

    def fall_ill(self) -> None:
        """Give it a full disk, and a configuration that it has to refuse."""
        self._let_files_grow_to(0)
        self._reload(self._file.read_text().replace("polling:", "poling:"))

    def heal(self) -> None:
        """Give it room, and its configuration back."""
        self._let_files_grow_to(_FOR_EVER)
        self._reload(self._file.read_text().replace("poling:", "polling:"))

    def _let_files_grow_to(self, size: int) -> None:
        resource.prlimit(self.program.process.pid, resource.RLIMIT_FSIZE, (size, _FOR_EVER))

    def _reload(self, config: str) -> None:
        self._file.write_text(config)
        self.program.process.send_signal(signal.SIGHUP)


class Replicas:
    """Both of them, `a` and `b`; use it as a context manager, which is entered when both are ready."""

    def __init__(self, folder: Path, config: Callable[[Path], dict[str, Any]]) -> None:
        self.a, self.b = (Replica(folder / name, config(folder / name / "state.db")) for name in "ab")

    def __enter__(self) -> Self:
        """Start them."""
        with ExitStack() as started:
            for replica in (self.a, self.b):
                started.enter_context(replica.program)
            for replica in (self.a, self.b):
                replica.program.until_ready()
            self._running = started.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End them."""
        self._running.close()

    def targets(self) -> list[dict[str, Any]]:
        """Give what a Prometheus is to scrape, each under its name."""
        named = {"a": self.a, "b": self.b}
        return [{"targets": [each.program.listen], "labels": {"instance": name}} for name, each in named.items()]
