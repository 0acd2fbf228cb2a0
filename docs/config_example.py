"""Generate the parts of config.example.yaml with targets and objectives in the words of the other services."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from docs.generated_part import with_generated_part
from exporter.providers.registry import DEFAULT_SERVICE, SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.service import Service

PAGE = Path(__file__).parents[1] / "config.example.yaml"
_OTHERS = tuple(service for service in SERVICES.values() if service is not DEFAULT_SERVICE)


def config_example() -> str:
    """Return the text of config.example.yaml with its generated parts replaced."""
    targets = (line for service in _OTHERS for line in _target(service))
    objectives = (line for service in _OTHERS for line in _objective(service))
    return with_generated_part(PAGE, targets, objectives, comment="  # {}")


def _target(service: Service) -> Iterator[str]:
    """Yield a target that names a data source, and discovers others."""
    example = service.example
    yield from (
        f"  - service: {service.name}".ljust(32) + f"# {service.title}",
        "    region: us-east-1",
        "    data_sources:",
    )
    for number, (level, identifier) in enumerate(zip(service.levels, example.ids, strict=True)):
        yield f"      {' ' if number else '-'} {level.key}: {identifier}"
    name = f"        {service.root.word}: {example.container}"
    yield from (
        f"{name.ljust(31)} # display names; default: requested from the API once, else the id",
        f"        name: {example.name}",
    )
    yield from ("    discovery:", "      include:")
    for number, level in enumerate(service.containers):
        yield f'        {" " if number else "-"} {level.word}: "{"*" if number else "team-*"}"'


def _objective(service: Service) -> Iterator[str]:
    yield from (
        "  - match:",
        f"      service: {service.name}",
        f"      {service.root.word}: {service.example.container}",
        "    expected_every: 7d",
    )
