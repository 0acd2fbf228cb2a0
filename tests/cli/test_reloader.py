"""Reloads by SIGHUP: their order if there are several, and a stop during one."""

from __future__ import annotations

import signal
import threading
from types import SimpleNamespace
from typing import Any

from exporter.cli.serve import Reloader, wait_for_stop
from exporter.config import Config
from tests.support.harness import TIMEOUT

OVERTAKING = 0.2  # seconds in which another reload could read and apply a newer file


def test_an_older_file_is_not_applied_after_a_newer_one() -> None:
    """The second reload begins while the first one has read the file and not applied it yet."""
    files, applied = iter(["older", "newer"]), list[str]()
    telemetry = SimpleNamespace(config_loaded=lambda _: None)
    host = SimpleNamespace(time=lambda: 0.0)
    exporter: Any = SimpleNamespace(apply=applied.append, telemetry=telemetry, host=host)
    second = threading.Thread(target=lambda: reloader.reload(exporter))

    def reread() -> Any:
        text = next(files)
        if text == "older":
            second.start()
            second.join(OVERTAKING)
        return SimpleNamespace(config=text, file="config.yaml", log_warnings=lambda: None)

    reloader = Reloader(reread, Config())
    assert reloader.reload(exporter) == []
    second.join()
    assert applied == ["older", "newer"]


class Signals:
    """Returns signals in the place of a receiver. Before the last one, it waits for an event."""

    def __init__(self, *numbers: int) -> None:
        self._numbers = list(numbers)
        self.last = threading.Event()

    def __len__(self) -> int:
        return len(self._numbers)

    def wait(self) -> int:
        """Return the next signal."""
        if len(self._numbers) == 1:
            assert self.last.wait(TIMEOUT)
        return self._numbers.pop(0)


def test_a_stop_does_not_wait_for_a_reload() -> None:
    """SIGTERM arrives while a reload reads a file that does not respond."""
    signals: Any = Signals(signal.SIGHUP, signal.SIGTERM)
    responds = threading.Event()

    def reload() -> None:
        signals.last.set()
        assert responds.wait(TIMEOUT)

    waiting = threading.Thread(target=wait_for_stop, args=(signals, reload))
    waiting.start()
    waiting.join(TIMEOUT / 2)
    has_stopped = not waiting.is_alive()
    responds.set()
    assert has_stopped


def test_a_reload_that_fails_unexpectedly_is_not_the_last_one() -> None:
    """The next SIGHUP reloads again."""
    has_failed, signals = threading.Event(), Signals(signal.SIGHUP, signal.SIGHUP, signal.SIGTERM)
    receiver: Any = SimpleNamespace(wait=lambda: (len(signals) != 2 or has_failed.wait(TIMEOUT)) and signals.wait())

    def reload() -> None:
        if not has_failed.is_set():
            has_failed.set()
            raise ValueError("a defect")
        signals.last.set()

    wait_for_stop(receiver, reload)
    assert signals.last.is_set()
