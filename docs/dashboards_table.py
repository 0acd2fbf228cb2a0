"""Generate the table of docs/dashboards.md with the files and addresses of the dashboards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deploy.grafana.generator.links import DashboardSet
from docs.generated_part import with_generated_part
from exporter.providers.registry import DEFAULT_SERVICE, SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parent / "dashboards.md"


def dashboards_page() -> str:
    """Return the text of docs/dashboards.md with its generated table replaced."""
    return with_generated_part(PAGE, _lines())


def _lines() -> Iterator[str]:
    yield from ("", "| service | files | addresses |", "|---|---|---|")
    for service in SERVICES.values():
        boards, prefix = DashboardSet(service), "" if service is DEFAULT_SERVICE else f"{service.name}-"
        files = ", ".join(f"`{prefix}{kind}.json`" for kind in boards.kinds)
        addresses = ", ".join(f"`/d/{boards.uid(kind)}`" for kind in boards.kinds)
        yield f"| {service.title} | {files} | {addresses} |"
    yield "| all | `exporter.json` | `/d/qbusiness-exporter` |"
    yield ""
