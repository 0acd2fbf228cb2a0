"""The operations of the matrix: when the program calls them, and how their failure is visible."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exporter.domain.service import Use
from exporter.providers.registry import DEFAULT_SERVICE, SERVICES
from tests.support.service_case import case_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.service import Service


@dataclass(frozen=True)
class Operation:
    """An operation: when the program calls it, which faults apply to it, and how a failure is visible.

    `name` is the name in the API. `use` is None for the operations of AWS STS.
    """

    service: Service
    name: str
    use: Use | None
    effect: str  # what fails with it: poll, outcomes, discovery, names, account, credentials, documents
    reported_by: str
    unchanged: str
    recovery: str
    mode: str = "discovered"  # of the environment in which the program calls it
    is_list: bool = False
    is_paged: bool = False
    scope: str = "container"  # the resource that a request names: a data_source, a container, or none
    is_called_at_start: bool = False
    is_only_source: bool = False  # no other response has the account id, without which tags cannot be requested


_NEXT_RUN = "the next discovery run"
_NEXT_POLL = "the next poll, at most 15 minutes later"
_DISCOVERY_FAILS = "`qbusiness_exporter_discovery_success` is 0"
_ALL_SERIES = "all series; all data sources are polled on time"
_SERVICE = DEFAULT_SERVICE  # replaced by each service
_WITHOUT_ARNS = " and ".join(service.title for service in SERVICES.values() if not case_of(service.name).has_arns)


def _operation(use: Use, effect: str, reported_by: str, unchanged: str, recovery: str, **traits: object) -> Operation:
    operation = Operation(_SERVICE, "", use, effect, reported_by, unchanged, recovery)
    return replace(operation, **traits)  # type: ignore[arg-type]


_OF_USES = (
    _operation(
        Use.SYNC_JOBS,
        "poll",
        "`…_poll_success` is 0 for the affected data sources",
        "all other series of these data sources, including `…_last_successful_poll_timestamp_seconds`; "
        "unaffected data sources are polled on time",
        _NEXT_POLL,
        is_list=True,
        is_paged=True,
        scope="data_source",
    ),
    _operation(
        Use.SYNC_JOB,
        "outcomes",
        "`…_poll_success` is 0 for data sources with a job that has ended; after a refusal, or an hour of failures, a "
        "COMPLETE job counts as INCOMPLETE",
        "all other series of these data sources; unaffected data sources are polled on time",
        _NEXT_POLL,
        scope="data_source",
    ),
    _operation(Use.LIST_CONTAINERS, "discovery", _DISCOVERY_FAILS, _ALL_SERIES, _NEXT_RUN, is_list=True, is_paged=True),
    _operation(
        Use.CONTAINER,
        "discovery",
        _DISCOVERY_FAILS,
        "all series, with the last values of the container; all data sources are polled on time",
        _NEXT_RUN,
    ),
    _operation(Use.LIST_SOURCES, "discovery", _DISCOVERY_FAILS, _ALL_SERIES, _NEXT_RUN, is_list=True, is_paged=True),
    _operation(
        Use.SOURCE,
        "discovery",
        _DISCOVERY_FAILS,
        "all series, with the last known schedule; all data sources are polled on time",
        "the next poll; after a refusal, at most 15 minutes later",
        scope="data_source",
    ),
    _operation(
        Use.TAGS,
        "discovery",
        _DISCOVERY_FAILS,
        "all series, with the last known tags; all data sources are polled on time",
        _NEXT_RUN,
        is_list=True,
        scope="data_source",
    ),
    _operation(
        Use.DOCUMENTS,
        "documents",
        "the data source is in `uncounted` of its target on the status page and in the JSON, and "
        "`…_data_source_documents_counted_timestamp_seconds` does not change",
        "all series, with the last complete count; all data sources are polled on time",
        "the next count, at most an hour later",
        mode="documents",
        is_list=True,
        is_paged=True,
    ),
    _operation(
        Use.CONTAINER_NAME,
        "names",
        "the data source is polled, but has no series until its name is resolved, and `discovery_success` is 0; after "
        "a refusal, the id is the name",
        "all other data sources",
        _NEXT_POLL,
        mode="configured",
        is_called_at_start=True,
    ),
)
_CALLER_IDENTITY = Operation(
    _SERVICE,
    "GetCallerIdentity",
    None,
    "account",
    f"`aws_account_id` is that in the ARN of a container, or the last known one. Responses of {_WITHOUT_ARNS} have no "
    "ARNs. There it is empty; where tags are used, `qbusiness_exporter_discovery_success` is 0, and a new data source "
    "is found only when its tags are known",
    "everything else; all data sources are polled on time",
    _NEXT_RUN,
    scope="",
    is_called_at_start=True,
)
# Each target has its own credentials, whatever its service.
_ASSUME_ROLE = Operation(
    _SERVICE,
    "AssumeRole",
    None,
    "credentials",
    "`…_poll_success` is 0 for all data sources, after the current credentials have expired",
    "all other series of the data sources",
    "at most a minute later; for discovery, its next run",
    mode="role",
    scope="",
)


def _operations_of(service: Service) -> Iterator[Operation]:
    """Yield the operations of a service, one for each of its permissions, and the operations of AWS STS."""
    case = case_of(service.name)
    for each in _OF_USES:
        for permission in service.permissions:
            if permission.use is each.use:
                is_above = each.use is Use.TAGS and permission.depth < len(service.levels)
                scope = "" if permission.depth == 0 else "container" if is_above else each.scope
                is_list = each.is_list and (case.has_tag_lists or each.use is not Use.TAGS)
                yield replace(each, service=service, name=permission.action, scope=scope, is_list=is_list)
    yield replace(_CALLER_IDENTITY, service=service, is_only_source=not case.has_arns)
    if service is DEFAULT_SERVICE:
        yield _ASSUME_ROLE


OPERATIONS = tuple(operation for service in SERVICES.values() for operation in _operations_of(service))
