"""The effects of events on series, on the log, and on the interval of idle sources."""

from __future__ import annotations

from structlog.testing import capture_logs

from exporter.app.event_recorder import EventRecorder, IdleIntervals
from exporter.errors import ProviderError, Reason
from exporter.events.receiver import EventResult
from exporter.metrics.telemetry import Telemetry
from exporter.target.reporting_gate import ReportingGate

DENIED = ProviderError(Reason.ACCESS_DENIED, "AccessDenied", operation="ReceiveMessage")


class Rig:
    """A recorder with its telemetry, and the intervals that it has set."""

    def __init__(self, before: EventRecorder | None = None) -> None:
        self.telemetry = Telemetry(process_metrics=False)
        self.gate = ReportingGate()
        self.intervals: list[float] = []
        idle = IdleIntervals(with_events=1800.0, without_events=300.0)
        self.recorder = EventRecorder("test", self.telemetry.events, self.gate, idle, self.intervals.append, before)
        self.recorder.publish()

    def value(self, name: str, **labels: str) -> float | None:
        """Return the value of a series of the target."""
        labels["target"] = "test"
        return self.telemetry.registry.get_sample_value(f"qbusiness_exporter_events_{name}", labels)


def test_a_queue_is_down_until_it_was_read() -> None:
    """Until then, idle sources are polled as often as they would be without a queue."""
    rig = Rig()
    assert (rig.value("up"), rig.recorder.idle_interval, rig.recorder.last_error) == (0, 300.0, "")
    assert [rig.value("received_total", result=result) for result in EventResult] == [0, 0, 0]


def test_each_change_is_logged_once_and_changes_the_interval() -> None:
    """Further failures have no effect but the error on the status page."""
    rig = Rig()
    with capture_logs() as log:
        for _ in range(3):
            rig.recorder.queue_up()
        for _ in range(3):
            rig.recorder.queue_down(DENIED)
        assert (rig.value("up"), rig.recorder.last_error) == (0, "ReceiveMessage: AccessDenied")
        rig.recorder.queue_up()
    assert rig.intervals == [1800.0, 300.0, 1800.0]
    assert [line["event"] for line in log] == [
        "events queue failing, polling at the interval without events",
        "events queue works again",
    ]
    assert rig.value("up") == 1


def test_a_queue_that_never_works_is_logged_once() -> None:
    """The interval stays the one without a queue."""
    rig = Rig()
    with capture_logs() as log:
        rig.recorder.queue_down(DENIED)
        rig.recorder.queue_down(DENIED)
    assert (len(log), rig.intervals) == (1, [])


def test_a_reload_continues_with_the_known_state() -> None:
    """Otherwise, each reload would poll all idle sources early."""
    before = Rig()
    before.recorder.queue_up()
    after = Rig(before.recorder)
    assert (after.value("up"), after.recorder.idle_interval) == (1, 1800.0)


def test_a_replaced_target_reports_nothing() -> None:
    """Its last request ends after the successor has started."""
    rig = Rig()
    rig.gate.close()
    rig.recorder.queue_up()
    rig.recorder.received(EventResult.USED)
    assert (rig.value("up"), rig.value("received_total", result="used")) == (0, 0)
