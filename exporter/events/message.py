"""Finds the data source of a message in the events queue, by the message and the target only.

EventBridge puts events on the queue as they are: an envelope with account and region, and in `detail` the record of
CloudTrail about one call of the API. The ids are taken from `requestParameters`, which every record of such a call has.
`responseElements` is not used: it is null for calls without a response, and has no container.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.domain.model import SourceId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.service import Service

DETAIL_TYPE = "AWS API Call via CloudTrail"
MAX_LENGTH = 256 * 1024  # characters: the limit of an event of EventBridge


class InvalidMessageError(ValueError):
    """A message that is not an event of EventBridge, or lacks a member that each event has."""


@dataclass(frozen=True, slots=True)
class EventScope:
    """The service, region and account of a target.

    While the account is not known, events of any account are accepted. This is safe, because ids are unique across
    accounts, and an event only causes a poll of a watched data source.
    """

    service: Service
    region: str
    account: str | None

    def includes(self, region: str, account: str) -> bool:
        """Return whether an event is from this service, region and account."""
        return region == self.region and self.account in {None, account}


def synced_source(body: str, scope: EventScope) -> SourceId | None:
    """Return the data source whose sync was started or stopped; None for an event about anything else.

    Raise InvalidMessageError if the message has another form. A call that AWS refused did not start or stop a sync.
    """
    event, expected = _parse(body), scope.service.sync_events
    source, kind = _text(event, "source"), _text(event, "detail-type")
    is_included = scope.includes(_text(event, "region"), _text(event, "account"))
    record = _object(event, "detail")
    if source != expected.source or kind != DETAIL_TYPE or not is_included:
        return None
    event_source, operation = _text(record, "eventSource"), _text(record, "eventName")
    if (
        event_source != expected.event_source
        or operation not in scope.service.sync_operations
        or record.get("errorCode")
    ):
        return None
    return SourceId(scope.service, tuple(_ids(_object(record, "requestParameters"), scope.service)))


def _parse(body: str) -> dict[str, Any]:
    if len(body) > MAX_LENGTH:
        raise InvalidMessageError(f"{len(body)} characters: an event has at most {MAX_LENGTH}")
    try:
        event = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidMessageError("not JSON: the target of the rule must pass the matched event as it is") from error
    if not isinstance(event, dict):
        raise InvalidMessageError(f"expected an object, got {type(event).__name__}")
    return event


def _ids(parameters: dict[str, Any], service: Service) -> Iterator[str]:
    for level, parameter in zip(service.levels, service.sync_events.id_parameters, strict=True):
        identifier = _text(parameters, parameter)
        if not re.fullmatch(level.id_pattern, identifier):
            raise InvalidMessageError(f"`{parameter}` is not an id: {level.id_rule}")
        yield identifier


def _text(data: dict[str, Any], member: str) -> str:
    value = data.get(member)
    if not isinstance(value, str):
        raise InvalidMessageError(f"expected text in `{member}`, got {_kind(data, member)}")
    return value


def _object(data: dict[str, Any], member: str) -> dict[str, Any]:
    value = data.get(member)
    if not isinstance(value, dict):
        raise InvalidMessageError(f"expected an object in `{member}`, got {_kind(data, member)}")
    return value


def _kind(data: dict[str, Any], member: str) -> str:
    return type(data[member]).__name__ if member in data else "no such member"
