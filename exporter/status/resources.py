"""Resources in the words of their service, for members of the JSON API and for the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.providers.registry import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.domain.model import ContainerId
    from exporter.domain.service import Service


class ContainerFields(NamedTuple):
    """A container of a data source in an object of the JSON API. An unknown name is None."""

    word: str
    text: str
    name: str | None
    id: str


def resource_fields(container: ContainerId, names: Mapping[str, str]) -> dict[str, str | None]:
    """Return a container and those around it, such as `application`, `application_id`, `index` and `index_id`.

    The name of its service comes first. `names` are the display names by the words of the containers; an empty or
    missing name is unknown.
    """
    fields: dict[str, str | None] = {"service": container.service.name}
    for level, identifier in zip(container.service.containers, container.path, strict=True):
        fields |= {level.word: names.get(level.word) or None, level.key: identifier}
    return fields


def service_of(fields: Mapping[str, object]) -> Service:
    """Return the service of an object of the JSON API."""
    return SERVICES[str(fields["service"])]


def containers_of(fields: Mapping[str, str]) -> list[ContainerFields]:
    """Return the containers of an object of the JSON API, the outermost first."""
    levels = service_of(fields).containers
    return [ContainerFields(level.word, level.text, fields[level.word], fields[level.key]) for level in levels]


def document_kinds(fields: Mapping[str, object]) -> list[str]:
    """Return the kinds of documents that the service of an object counts, such as `added`; the scanned ones first."""
    counted = (kind for kind, _ in service_of(fields).members.document_counts)
    return sorted(counted, key=lambda kind: kind != "scanned")


def container_noun(containers: Iterable[Mapping[str, object]], number: int) -> str:
    """Return the noun for a number of these containers, such as `index` or `indexes and knowledge bases`."""
    levels = {level.word: level for level in (service_of(fields).container for fields in containers)}.values()
    return (
        " or ".join(level.text for level in levels) if number == 1 else " and ".join(level.plural for level in levels)
    )
