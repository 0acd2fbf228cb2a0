"""Parameters of requests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.domain.model import ResourceId


def ids(names: Sequence[str], resource: ResourceId) -> dict[str, Any]:
    """Return the ids of a resource as parameters; `names` begin with the outermost container."""
    return dict(zip(names, resource.path, strict=False))


def times(given: Mapping[str, float | None]) -> dict[str, datetime]:
    """Return the times that are not None as parameters."""
    return {name: datetime.fromtimestamp(time, UTC) for name, time in given.items() if time is not None}
