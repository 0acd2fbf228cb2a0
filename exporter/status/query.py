"""The query string of the status page and the JSON API, which have the same parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.providers.registry import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.domain.service import Service
    from exporter.status.data_sources import AssessedSource

STATES = {
    "problem": "Needs attention",
    "critical": "Critical",
    "warning": "Warning",
    "info": "Info",
    "stale": "Stale",
    "syncing": "Syncing",
    "waiting": "Waiting for first poll",
    "unwatched": "Not watched for punctuality",
    "ok": "OK",
}
"""The states by which to filter, and their labels on the page."""

MAX_PAGE_SIZE, MAX_PAGE = 1000, 10**6

CONTAINERS = {level.word: level.text for service in SERVICES.values() for level in service.containers}
"""The words for the containers of all services, which are parameters, with their texts."""

_TEXTS = ("q", "state", "service", "type", "data_source_id", "cause")


class QueryError(ValueError):
    """An invalid query, with a message for the reader."""


@dataclass(frozen=True, slots=True)
class Query:
    """The filters, which are combined with AND, and the page of the result, counted from 1.

    `containers` are display names of containers by the words of their levels, such as `application`.
    """

    q: str = ""
    state: str = ""
    service: str = ""
    type: str = ""
    data_source_id: str = ""
    cause: str = ""
    containers: Mapping[str, str] = field(default_factory=dict)
    page: int = 1
    page_size: int = MAX_PAGE_SIZE

    @classmethod
    def parse(cls, parameters: Mapping[str, str], page_size: int) -> Query:
        """Parse the parameters of a query string and ignore unknown ones; raise QueryError if one is invalid.

        `page_size` is the default.
        """
        texts = {name: parameters.get(name, "").strip() for name in _TEXTS}
        for name, words in (("state", STATES), ("service", SERVICES)):
            if texts[name] and texts[name] not in words:
                raise QueryError(f"{name}={texts[name]} must be one of {', '.join(words)}")
        return cls(
            **texts,
            containers={word: name for word in CONTAINERS if (name := parameters.get(word, "").strip())},
            page=_number(parameters, "page", 1, MAX_PAGE),
            page_size=_number(parameters, "page_size", page_size, MAX_PAGE_SIZE),
        )

    @property
    def filters(self) -> dict[str, str]:
        """The filters that are set."""
        texts = {name: getattr(self, name) for name in _TEXTS}
        return {name: value for name, value in {**texts, **self.containers}.items() if value}

    def matches(self, assessed: AssessedSource) -> bool:
        """Return whether a source passes all filters."""
        return (
            (not self.data_source_id or assessed.id == self.data_source_id)
            and self.selects(assessed.service, assessed.snapshot.container_names())
            and (not self.type or assessed.type == self.type)
            and (not self.cause or (assessed.cause is not None and assessed.cause.text == self.cause))
            and (not self.state or is_in_state(assessed, self.state))
            and (not self.q or self._contains_words(assessed))
        )

    def selects(self, service: Service, names: Mapping[str, str]) -> bool:
        """Return whether the containers with these display names by their words pass the filters for containers."""
        return self.service in {"", service.name} and self.containers.items() <= names.items()

    def _contains_words(self, assessed: AssessedSource) -> bool:
        """Return whether each word of `q` occurs in a name, id, label, status or error of a source."""
        text = "\n".join(_searched_texts(assessed)).casefold()
        return all(word in text for word in self.q.casefold().split())


def is_in_state(assessed: AssessedSource, state: str) -> bool:
    """Return whether a source is in one of `STATES`. It may be in several."""
    if state == "syncing":
        return assessed.is_syncing
    if state == "stale":
        return assessed.is_stale
    if state == "unwatched":
        return assessed.is_unwatched
    return assessed.state in {"critical", "warning"} if state == "problem" else assessed.state == state


def _searched_texts(assessed: AssessedSource) -> Iterator[str]:
    snapshot = assessed.snapshot
    source, description, location = snapshot.source, snapshot.description, snapshot.location
    yield from (snapshot.names.root, snapshot.names.data_source, snapshot.container)
    yield from (source.target, *source.id.path)
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
    for tracked in snapshot.history.jobs.values() if snapshot.history else ():
        job = tracked.job
        yield from (job.status, job.execution_id, job.error_code, job.connector_error)
        yield from (job.data_source_error_code, job.error_message)


def _number(parameters: Mapping[str, str], name: str, default: int, maximum: int) -> int:
    text = parameters.get(name, "").strip() or str(default)
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(maximum)) and 1 <= int(text) <= maximum):
        raise QueryError(f"{name}={text} must be a whole number from 1 to {maximum}")
    return int(text)
