"""What somebody wants to see: the query string of the page and of the JSON, which understand the same."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.status.data_sources import AssessedSource

STATES = {
    "problem": "Needs attention",
    "critical": "Critical",
    "warning": "Warning",
    "info": "Notice",
    "stale": "Out of date",
    "syncing": "Syncing",
    "waiting": "Waiting for a first poll",
    "ok": "Fine",
}
"""The states that can be asked for, and how they are said."""

LARGEST_PAGE, LAST_PAGE = 1000, 10**6


class QueryError(ValueError):
    """A query that means nothing; its message is for a person."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which data sources are wanted, all that is given at once, and which page of them; pages count from 1."""

    q: str = ""
    state: str = ""
    application: str = ""
    type: str = ""
    data_source_id: str = ""
    page: int = 1
    page_size: int = LARGEST_PAGE

    @classmethod
    def parse(cls, parameters: Mapping[str, str], page_size: int) -> Query:
        """Read a query string's parameters; raises QueryError. Others than ours are none of our business."""
        texts = {name: parameters.get(name, "").strip() for name in ("q", "state", "application", "type")}
        if texts["state"] and texts["state"] not in STATES:
            raise QueryError(f"state={texts['state']} is none of {', '.join(STATES)}")
        return cls(
            **texts,
            data_source_id=parameters.get("data_source_id", "").strip(),
            page=_number(parameters, "page", 1, LAST_PAGE),
            page_size=_number(parameters, "page_size", page_size, LARGEST_PAGE),
        )

    @property
    def filters(self) -> dict[str, str]:
        """Give what narrows the list."""
        given = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in given if isinstance(value, str) and value}

    def wants(self, assessed: AssessedSource) -> bool:
        """Tell whether a source is wanted."""
        return (
            (not self.data_source_id or assessed.id == self.data_source_id)
            and (not self.application or assessed.snapshot.names.application == self.application)
            and (not self.type or assessed.type == self.type)
            and (not self.state or is_in(assessed, self.state))
            and (not self.q or self._mentions(assessed))
        )

    def _mentions(self, assessed: AssessedSource) -> bool:
        """Tell whether a source has every word somewhere: in its names, ids, labels, statuses or errors."""
        text = "\n".join(_texts(assessed)).casefold()
        return all(word in text for word in self.q.casefold().split())


def is_in(assessed: AssessedSource, state: str) -> bool:
    """Tell whether a source is in one of `STATES`; it may be in several."""
    if state == "syncing":
        return assessed.is_syncing
    if state == "stale":
        return assessed.is_stale
    return assessed.state in {"critical", "warning"} if state == "problem" else assessed.state == state


def _texts(assessed: AssessedSource) -> Iterator[str]:
    snapshot = assessed.snapshot
    source, description, location = snapshot.source, snapshot.description, snapshot.location
    yield from (snapshot.names.application, snapshot.names.data_source, snapshot.index)
    yield from (source.target, source.id.application_id, source.id.index_id, source.id.data_source_id)
    yield from (text for pair in source.labels for text in pair)
    if description:
        yield from (
            description.type,
            description.status,
            description.schedule or "",
            *(text for pair in description.tags for text in pair),
        )
    if location:
        yield from (location.account, location.region)
    for problem in assessed.problems:
        yield problem.text
    for known in snapshot.history.jobs.values() if snapshot.history else ():
        job = known.job
        yield from (job.status, job.execution_id, job.error_code, job.connector_error, job.error_message)


def _number(parameters: Mapping[str, str], name: str, default: int, largest: int) -> int:
    text = parameters.get(name, "").strip() or str(default)
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(largest)) and 1 <= int(text) <= largest):
        raise QueryError(f"{name}={text} must be a whole number from 1 to {largest}")
    return int(text)
