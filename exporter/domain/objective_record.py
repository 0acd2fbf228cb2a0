"""The objectives of a data source as they were recorded, with the times at which they began to hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ObjectiveRecord:
    """The objectives of a source by name, and the starts of those that do not hold for all times."""

    values: Mapping[str, float]
    starts: Mapping[str, float] = field(default_factory=dict)
