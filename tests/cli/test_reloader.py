"""The order of reloads that are requested at the same time, by SIGHUP and by a request."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

from exporter.cli.serve import Reloader

OVERTAKING = 0.2  # seconds in which another reload could read and apply a newer file


def test_an_older_file_is_not_applied_after_a_newer_one() -> None:
    """The second reload begins while the first one has read the file and not applied it yet."""
    files, applied = iter(["older", "newer"]), list[str]()
    telemetry = SimpleNamespace(config_loaded=lambda _: None, config_rejected=lambda: None)
    host = SimpleNamespace(time=lambda: 0.0)
    exporter: Any = SimpleNamespace(apply=applied.append, telemetry=telemetry, host=host)
    second = threading.Thread(target=lambda: reloader.reload(exporter))

    def reread() -> Any:
        text = next(files)
        if text == "older":
            second.start()
            second.join(OVERTAKING)
        return SimpleNamespace(config=text, file="config.yaml", log_warnings=lambda: None)

    reloader = Reloader(reread)
    assert reloader.reload(exporter) == []
    second.join()
    assert applied == ["older", "newer"]
