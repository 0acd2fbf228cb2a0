"""Generate the table of docs/aws-permissions.md with the policies of each service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deploy.policies import file_name, policies
from docs.generated_part import with_generated_part
from exporter.providers.registry import DEFAULT_SERVICE, SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.domain.service import Service

PAGE = Path(__file__).parent / "aws-permissions.md"


def permissions_page() -> str:
    """Return the text of docs/aws-permissions.md with its generated table replaced."""
    return with_generated_part(PAGE, _lines())


def _lines() -> Iterator[str]:
    kinds = list(policies(DEFAULT_SERVICE))
    yield ""
    yield _row(["service", *kinds])
    yield "|---" * (1 + len(kinds)) + "|"
    for service in SERVICES.values():
        yield _row([service.title, *(_link(service, kind) for kind in kinds)])
    yield ""


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _link(service: Service, kind: str) -> str:
    name = file_name(service, kind)
    return f"[{name}](../deploy/iam/{name})"
