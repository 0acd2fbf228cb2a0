"""The form in which a service lists sync jobs. The simulator has them in the form of Amazon Q Business."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]


def _unchanged(job: Json) -> Json:
    return job


@dataclass(frozen=True, slots=True)
class JobForm:
    """The operation that lists sync jobs, and the conversions of a job to and from the form of the service."""

    operation: str
    to_service: Callable[[Json], Json] = _unchanged
    from_service: Callable[[Json], Json] = _unchanged
