"""The labels of data sources and containers, in the words of their service.

The identifying labels of a data source have the name of its outermost container and not its id, because people read
names. The info metric of the data source has the ids and all other names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.domain.model import ContainerId
    from exporter.domain.service import Service
    from exporter.domain.snapshots import ContainerSnapshot, SourceSnapshot


def source_labels(service: Service) -> tuple[str, ...]:
    """Return the names of the labels that identify a data source."""
    return service.root.word, "data_source", "data_source_id"


def source_label_values(snapshot: SourceSnapshot) -> tuple[str, ...]:
    """Return the values of `source_labels`."""
    return snapshot.names.root, snapshot.names.data_source, snapshot.source.id.data_source_id


def container_labels(service: Service) -> tuple[str, ...]:
    """Return the names of the labels that identify a container."""
    words = dict.fromkeys((service.root.word, service.container.word))
    return *words, service.container.key


def container_label_values(snapshot: ContainerSnapshot) -> tuple[str, ...]:
    """Return the values of `container_labels`."""
    is_outermost = snapshot.id.service.container is snapshot.id.service.root
    names = (snapshot.name,) if is_outermost else (snapshot.root, snapshot.name)
    return *names, snapshot.id.own


def added_labels(container: ContainerId, name: str) -> dict[str, str]:
    """Return the labels of a container that the identifying labels of its data sources lack: its ids, and its name."""
    return dict(zip(added_label_names(container.service), _added_values(container, name), strict=True))


def added_label_names(service: Service) -> tuple[str, ...]:
    """Return the names of `added_labels`."""
    own = (service.container.word,) if service.container is not service.root else ()
    return *parent_label_names(service), *own, service.container.key


def parent_labels(container: ContainerId) -> dict[str, str]:
    """Return the ids of the containers around a container."""
    return dict(zip(parent_label_names(container.service), container.path[:-1], strict=True))


def parent_label_names(service: Service) -> tuple[str, ...]:
    """Return the names of `parent_labels`."""
    return tuple(level.key for level in service.containers[:-1])


def _added_values(container: ContainerId, name: str) -> tuple[str, ...]:
    own = (name,) if container.service.container is not container.service.root else ()
    return *container.path[:-1], *own, container.own
