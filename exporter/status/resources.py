"""The names and ids of containers as members of the JSON API, in the words of their service."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.domain.model import ContainerId


def resource_fields(container: ContainerId, root: str, name: str) -> dict[str, str | None]:
    """Return a container with those around it, such as `application`, `application_id`, `index` and `index_id`.

    `root` is the display name of the outermost container, and `name` that of the container itself; None if it is
    unknown.
    """
    levels = container.service.containers
    names = {levels[0].word: root, levels[-1].word: name}
    fields: dict[str, str | None] = {}
    for level, identifier in zip(levels, container.path, strict=True):
        fields |= {level.word: names.get(level.word) or None, level.key: identifier}
    return fields
