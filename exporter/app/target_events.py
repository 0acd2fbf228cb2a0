"""Builds the receiver and the recorder of a target's events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.app.event_recorder import EventRecorder, IdleIntervals
from exporter.aws import target_name
from exporter.events.message import EventScope
from exporter.events.receiver import LONG_POLL, EventReceiver

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.app.admission import SourceAdmission
    from exporter.app.dependencies import SharedServices
    from exporter.app.settings import TargetSettings
    from exporter.app.target import Target
    from exporter.aws import AwsClient, RequestObserver
    from exporter.runtime import Event
    from exporter.target.context import TargetContext
    from exporter.target.reporting_gate import ReportingGate

MAX_QUEUE_REQUESTS = 10.0  # per second; SQS allows far more, and the quota of the target's service does not apply


def build_event_recorder(
    settings: TargetSettings,
    services: SharedServices,
    gate: ReportingGate,
    use_idle_interval: Callable[[float], None],
    replaces: Target | None,
) -> EventRecorder:
    """Return the recorder of a target, which continues the recorder of a replaced target with the same queue.

    Otherwise, a reload would poll all idle sources early, until the queue is known to be readable.
    """
    is_same_queue = replaces is not None and replaces.settings.target.events == settings.target.events
    return EventRecorder(
        target_name(settings.target),
        services.telemetry.events,
        gate,
        IdleIntervals(settings.idle_interval_with_events, settings.polling.idle_interval),
        use_idle_interval,
        replaces.event_recorder if replaces and is_same_queue else None,
    )


def build_event_receiver(  # noqa: PLR0913, PLR0917 (what it connects)
    settings: TargetSettings,
    services: SharedServices,
    context: TargetContext,
    aws_client: AwsClient,
    requests: RequestObserver,
    admission: SourceAdmission,
    recorder: EventRecorder,
    stopping: Event,
) -> EventReceiver | None:
    """Return the receiver of a target's events, whose requests `requests` observes; None without a queue."""
    events, location = settings.target.events, context.location
    if events is None:
        return None
    return EventReceiver(
        context.target,
        aws_client.message_queue(events.queue_url, LONG_POLL, requests),
        lambda: EventScope(context.service, location.region, location.account),
        admission.hint,
        recorder,
        services.overrides.host,
        services.overrides.random,
        stopping,
    )
