"""The data source that a message of the events queue concerns."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from exporter.domain.model import SourceId
from exporter.events.message import MAX_LENGTH, EventScope, InvalidMessageError, synced_source
from exporter.providers.registry import SERVICES
from tests.support.builders import source_id
from tests.support.sync_events import ACCOUNT, REGION, sync_event

if TYPE_CHECKING:
    from exporter.domain.service import Service

SOURCE = source_id("a" * 36, "b" * 36, "c" * 36)
SCOPE = EventScope(SOURCE.service, REGION, ACCOUNT)


def read(event: object, scope: EventScope = SCOPE) -> SourceId | None:
    """Return the data source that an event concerns."""
    return synced_source(event if isinstance(event, str) else json.dumps(event), scope)


def ids_for(service: Service) -> tuple[str, ...]:
    """Return an id for each level of a service, in its form."""
    candidates = [("a" * length, level) for level in service.levels for length in (36, 10)]
    return tuple({level: each for each, level in candidates if re.fullmatch(level.id_pattern, each)}.values())


@pytest.mark.parametrize("name", SERVICES)
def test_each_operation_of_a_service_names_its_data_source(name: str) -> None:
    """The ids are in the members of requestParameters, in the order of the service."""
    service = SERVICES[name]
    source = SourceId(service, ids_for(service))
    found = {
        operation: read(sync_event(source, operation), EventScope(service, REGION, ACCOUNT))
        for operation in service.sync_operations
    }
    assert len(found) == 2
    assert set(found.values()) == {source}


def test_members_that_are_not_needed_may_be_missing() -> None:
    """CloudTrail leaves out members, and EventBridge adds some."""
    event = sync_event(SOURCE, responseElements=None, errorCode=None, addendum={"reason": "UPDATED_DATA"})
    del event["version"], event["id"], event["resources"], event["detail"]["awsRegion"]
    assert read(event) == SOURCE


def test_events_of_any_account_pass_until_the_account_is_known() -> None:
    """A hint from another account has ids that no data source of the target has."""
    assert read(sync_event(SOURCE), EventScope(SOURCE.service, REGION, None)) == SOURCE


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"account": "999999999999"}, id="another account"),
        pytest.param({"region": "eu-west-1"}, id="another region"),
        pytest.param({"source": "aws.kendra"}, id="another service"),
        pytest.param({"source": "custom"}, id="an event of an application"),
        pytest.param({"detail-type": "Document State Change"}, id="another kind of event"),
        pytest.param({"detail": {"eventSource": "iam.amazonaws.com"}}, id="another source of CloudTrail"),
        pytest.param({"detail": {"eventName": "DeleteDataSource"}}, id="another operation"),
        pytest.param({"detail": {"errorCode": "ConflictException"}}, id="a call that was refused"),
    ],
)
def test_other_events_concern_no_data_source(changes: dict[str, Any]) -> None:
    """They are valid, but do not cause a poll."""
    event = sync_event(SOURCE, **changes.pop("detail", {}))
    assert read({**event, **changes}) is None


def without(*path: str) -> dict[str, Any]:
    """Return an event without one member."""
    event = sync_event(SOURCE)
    inner: Any = event
    for member in path[:-1]:
        inner = inner[member]
    del inner[path[-1]]
    return event


@pytest.mark.parametrize(
    ("message", "error"),
    [
        pytest.param("sync started", "not JSON", id="text"),
        pytest.param("[" * 100_000, "not JSON", id="nested too deeply"),
        pytest.param(" " * MAX_LENGTH + "{}", "262146 characters", id="too long"),
        pytest.param(["event"], "expected an object, got list", id="a list"),
        pytest.param({"Type": "Notification", "Message": "{}"}, "expected text in `source`", id="wrapped by SNS"),
        pytest.param(without("account"), "expected text in `account`, got no such member", id="no account"),
        pytest.param({**sync_event(SOURCE), "region": 1}, "expected text in `region`, got int", id="region of a type"),
        pytest.param({**sync_event(SOURCE), "detail": "x"}, "expected an object in `detail`, got str", id="detail"),
        pytest.param(without("detail", "eventName"), "expected text in `eventName`", id="no operation"),
        pytest.param(without("detail", "requestParameters"), "an object in `requestParameters`", id="no parameters"),
        pytest.param(without("detail", "requestParameters", "indexId"), "text in `indexId`", id="no index"),
        pytest.param(
            sync_event(source_id("a" * 36, "b" * 36, "../secrets")), "`dataSourceId` is not an id: an id has", id="id"
        ),
    ],
)
def test_other_messages_are_invalid(message: object, error: str) -> None:
    """The error says what was expected."""
    with pytest.raises(InvalidMessageError, match=error):
        read(message)
