"""Generate the tables of docs/aws-permissions.md: actions, policies, access by tag, and hosts of the services."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from deploy.policies import file_name, policies
from docs.generated_part import with_generated_part
from exporter.domain.service import Use
from exporter.providers.registry import DEFAULT_SERVICE, SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.domain.service import Permission, Service

PAGE = Path(__file__).parent / "aws-permissions.md"
_REGION = "us-west-2"
_IGNORED = "The response also contains configuration with host names and secret ARNs. The exporter ignores it"
_PURPOSES = {
    Use.LIST_CONTAINERS: "discovery",
    Use.LIST_SOURCES: "discovery; {reads}",
    Use.CONTAINER: "{reads}",
    Use.SOURCE: "{reads}. " + _IGNORED,
    Use.SYNC_JOBS: "the sync jobs",
    Use.SYNC_JOB: "{reads}",
    Use.TAGS: "only for filters, `tag_labels` or objectives that use tags",
    Use.DOCUMENTS: "only for `documents.interval` and the command `documents`: ids, statuses and errors of documents",
    Use.CONTAINER_NAME: "only for explicitly configured data sources without a configured {root} name",
}


def permissions_page() -> str:
    """Return the text of docs/aws-permissions.md with its generated tables replaced."""
    return with_generated_part(PAGE, _actions(), _policies(), _tags(), _hosts())


def _actions() -> Iterator[str]:
    yield from _head("action", "resource", "purpose")
    for service in SERVICES.values():
        for permission in service.permissions:
            purpose = _PURPOSES[permission.use].format(reads=permission.reads, root=service.root.text)
            yield _row([f"`{service.iam}:{permission.action}`", _resource(service, permission), purpose])
    yield _row(["`sqs:ReceiveMessage`, `sqs:DeleteMessage`", "the queue", "only for targets with `events`"])
    yield _row(["`sts:AssumeRole`", "the roles", "only for targets with a `role_arn`"])
    yield ""


def _resource(service: Service, permission: Permission) -> str:
    """Return the kinds of resources on all of which an action must be allowed."""
    if not permission.depth:
        return "`*`: the action supports no narrower resource"
    levels = service.levels[: permission.depth]
    return ", ".join(level.text for level in (levels[-1:] if permission.use is Use.TAGS else levels))


def _policies() -> Iterator[str]:
    kinds = list(policies(DEFAULT_SERVICE))
    yield from _head("service", *kinds)
    for service in SERVICES.values():
        yield _row([service.title, *(_link(service, kind) for kind in kinds)])
    yield ""


def _tags() -> Iterator[str]:
    yield from _head("service", "policy", "resources that carry the tag")
    for service in SERVICES.values():
        *others, last = (level.plural for level in service.levels[: service.depth(Use.TAGS)])
        tagged = f"{', '.join(others)} and {last}" if others else last
        yield _row([service.title, _link(service, "discovery"), tagged])
    yield ""


def _hosts() -> Iterator[str]:
    yield from _head("host", "with `AWS_USE_FIPS_ENDPOINT=true`", "service")
    clients = {service.client: service.title for service in SERVICES.values()} | {"sts": "AWS STS"}
    for client, title in clients.items():
        yield _row([_host(client, fips=False), _host(client, fips=True), title])
    yield ""


def _host(client: str, *, fips: bool) -> str:
    config = Config(use_fips_endpoint=fips)
    session: Any = boto3.Session()  # the stub accepts names of services only as literals
    url = session.client(client, region_name=_REGION, config=config).meta.endpoint_url
    return f"`{url.removeprefix('https://').replace(_REGION, 'REGION')}`"


def _head(*titles: str) -> Iterator[str]:
    yield ""
    yield _row(titles)
    yield "|---" * len(titles) + "|"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _link(service: Service, kind: str) -> str:
    name = file_name(service, kind)
    return f"[{name}](../deploy/iam/{name})"
