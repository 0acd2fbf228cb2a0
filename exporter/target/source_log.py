"""The fields that identify a data source in every log line about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.domain.model import ContainerId, DataSource, Names


def source_fields(source: DataSource, names: Names | None = None) -> dict[str, str]:
    """Return the log fields of a data source: target, id, and the known display names."""
    fields = {
        "target": source.target,
        source.id.service.root.word: names.root if names else source.root,
        "data_source": names.data_source if names else source.name,
        "data_source_id": source.id.data_source_id,
    }
    return {name: value for name, value in fields.items() if value is not None}


def container_text(container: ContainerId, names: Sequence[str]) -> str:
    """Return a container and those around it as text, such as `index main (id) of application intranet (id)`."""
    levels = zip(container.service.levels, names, container.path, strict=False)
    return " of ".join(f"{level.text} {name_and_id(name, id_)}" for level, name, id_ in reversed(list(levels)))


def name_and_id(name: str, identifier: str) -> str:
    """Return a name with its id; only the id if the name is not known or not available."""
    return identifier if name in {"", identifier} else f"{name} ({identifier})"
