"""The recorded objectives of a data source, and the times at which they took effect."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ObjectiveRecord:
    """The objectives of a source by name. Only those with a start do not apply to all times."""

    values: Mapping[str, float]
    starts: Mapping[str, float] = field(default_factory=dict)
