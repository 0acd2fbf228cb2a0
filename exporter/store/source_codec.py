"""The JSON form of saved sources and of counts of documents. Later releases can read what this release writes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import msgspec

from exporter.domain.clock_check import ClockReading
from exporter.domain.documents import Document, DocumentsByStatus
from exporter.domain.model import DataSource, Description, Location, SourceId
from exporter.domain.objective_record import ObjectiveRecord
from exporter.domain.snapshots import SavedSource
from exporter.providers.registry import DEFAULT_SERVICE, SERVICES
from exporter.store.codec import without_defaults

# Members that are younger than the format, with their defaults, which are not written.
_YOUNGER_DESCRIPTION_MEMBERS = {"schedule_since": None}


class _DataSourceRow(msgspec.Struct):
    """A data source as JSON; `id` has the ids of its levels by their keys, and the service."""

    target: str
    id: dict[str, str]
    labels: tuple[tuple[str, str], ...]
    application: str | None
    name: str | None


class _ObjectivesRow(msgspec.Struct):
    """Recorded objectives as JSON."""

    values: dict[str, float]
    starts: dict[str, float] = msgspec.field(default_factory=dict)


class _SavedSourceRow(msgspec.Struct):
    """A saved source as JSON."""

    source: _DataSourceRow
    index: str
    about: Description
    described: bool | None = None
    location: Location | None = None
    watched_since: ClockReading | None = None
    objectives: _ObjectivesRow | None = None


_SOURCE_DECODER = msgspec.json.Decoder(_SavedSourceRow)


def dump_saved_source(saved: SavedSource) -> str:
    """Return a saved source as JSON."""
    description = without_defaults(asdict(saved.description), _YOUNGER_DESCRIPTION_MEMBERS)
    members: dict[str, Any] = {"source": _dump_source(saved.source), "index": saved.container, "about": description}
    if saved.is_described and saved.description.schedule is None:  # a schedule implies it
        members["described"] = True
    if saved.location:
        members["location"] = asdict(saved.location)
    if saved.watched_since:
        members["watched_since"] = {"time": saved.watched_since.time, "ahead": saved.watched_since.ahead}
    if saved.objectives:
        members["objectives"] = asdict(saved.objectives)
    return json.dumps(members, separators=(",", ":"))


def load_saved_source(text: str) -> SavedSource:
    """Return the source in a text from `dump_saved_source`. Raise one of UNREADABLE for any other text."""
    row = _SOURCE_DECODER.decode(text)
    source = row.source
    is_described = row.about.schedule is not None if row.described is None else row.described
    return SavedSource(
        source=DataSource(source.target, _load_id(source.id), source.application, source.name, source.labels),
        container=row.index,
        description=row.about,
        location=row.location,
        watched_since=row.watched_since,
        is_described=is_described,
        objectives=ObjectiveRecord(row.objectives.values, row.objectives.starts) if row.objectives else None,
    )


def _dump_source(source: DataSource) -> dict[str, Any]:
    return {
        "target": source.target,
        "id": _dump_id(source.id),
        "application": source.root,
        "name": source.name,
        "labels": source.labels,
    }


def _dump_id(source: SourceId) -> dict[str, str]:
    ids = {level.key: identifier for level, identifier in zip(source.service.levels, source.path, strict=True)}
    return ids if source.service is DEFAULT_SERVICE else {"service": source.service.name, **ids}


def _load_id(raw: dict[str, str]) -> SourceId:
    service = SERVICES[raw.pop("service", DEFAULT_SERVICE.name)]
    return SourceId(service, tuple([raw[level.key] for level in service.levels]))


def dump_documents(documents: DocumentsByStatus) -> str:
    """Return a count of documents as JSON."""
    return json.dumps({**asdict(documents), "counts": dict(documents.counts)}, separators=(",", ":"))


def load_documents(text: str) -> DocumentsByStatus:
    """Return the count in a text from `dump_documents`. Raise one of UNREADABLE for any other text."""
    raw = json.loads(text)
    return DocumentsByStatus(
        counted_at=float(raw["counted_at"]),
        counts=tuple((status, int(count)) for status, count in raw["counts"].items()),
        failed=tuple(Document(**document) for document in raw["failed"]),
    )
