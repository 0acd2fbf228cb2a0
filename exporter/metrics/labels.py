"""The labels that name the containers of a data source, in the words of its service."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.domain.model import ContainerId


def container_labels(container: ContainerId, name: str) -> dict[str, str]:
    """Return the labels of a container that the identifying ones of a data source lack.

    These have the name of the outermost container. So its id is added, and name and id of the container itself.
    """
    service = container.service
    labels = {level.key: identifier for level, identifier in zip(service.containers, container.path, strict=True)}
    if service.container is service.root:
        return labels
    own_id = labels.pop(service.container.key)
    return {**labels, service.container.word: name, service.container.key: own_id}
