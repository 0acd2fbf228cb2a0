"""The exporter as an object in a process that continues without it."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import TYPE_CHECKING

from exporter.app.settings import Settings
from exporter.domain.units import HOUR
from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedEndpoint
from exporter.web.server.server import WebServer
from tests.support.harness import config_for, fleet_of
from tests.support.running_exporter import RunningExporter, config_from, poll_threads

if TYPE_CHECKING:
    import pytest

    from exporter.config import Config

RELOAD_SECONDS = 0.5  # in which a reload would be applied if it did not wait


def test_a_stopped_exporter_releases_its_memory() -> None:
    """The start keeps the garbage collector away from restored objects, and the stop ends that."""
    with SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"))) as service:
        program = RunningExporter(config_for(service, ":memory:"))
        with program:
            program.until_ready()
        exporter = weakref.ref(program.exporter)
        del program
        gc.collect()
        assert exporter() is None


def test_a_reload_during_the_start_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sidecar requests a reload as soon as the port is open, before the targets have started to poll."""
    with SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"))) as service:
        config = config_for(service, ":memory:")
        program = RunningExporter(config)
        reload = threading.Thread(target=program.reload, args=({**config, "polling": {"window": "25h"}},))
        listen = WebServer.start

        def listen_and_reload(web: WebServer) -> None:
            listen(web)
            reload.start()
            reload.join(RELOAD_SECONDS)

        monkeypatch.setattr(WebServer, "start", listen_and_reload)
        with program:
            reload.join()
            program.until_ready()
            assert [target.settings.polling.window for target in program.exporter.targets] == [25 * HOUR]


def test_a_reload_that_a_stop_overtakes_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stop ends while the reload computes its settings."""
    with SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"))) as service:
        config = config_for(service, ":memory:")
        with RunningExporter(config) as program:
            program.until_ready()
            derive = Settings.from_config

            def stop_and_derive(config: Config) -> Settings:
                program.exporter.stop()
                return derive(config)

            monkeypatch.setattr(Settings, "from_config", stop_and_derive)
            program.exporter.apply(config_from({**config, "polling": {"window": "25h"}}))
            assert not poll_threads()
