"""Writes a configuration that names data sources, with comments."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from textwrap import indent
from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError

from exporter.config.service_models import parse_target
from exporter.providers.registry import DEFAULT_SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from exporter.config.targets import TargetConfig
    from exporter.domain.service import Service

_CONNECTION = ("role_arn", "external_id", "profile", "endpoint_url")


@dataclass(frozen=True, slots=True)
class FoundSource:
    """A data source, with the names in AWS of its containers, the outermost first, and its own."""

    ids: tuple[str, ...]
    container_names: tuple[str, ...]
    name: str
    type: str
    status: str


@dataclass(frozen=True, slots=True)
class FoundTarget:
    """A target, the data sources found in it, and remarks, which become comments."""

    target: TargetConfig
    region: str
    sources: Sequence[FoundSource]
    remarks: Sequence[str] = ()


def write(targets: Sequence[FoundTarget], heading: Sequence[str]) -> str:
    """Return the text of a configuration file, which begins with the heading as comments."""
    lines = [*(_comment(line, "") for line in heading), "targets:"]
    for target in targets:
        lines += _target(target)
    return "\n".join(lines) + "\n"


def _target(found: FoundTarget) -> Iterator[str]:
    target = found.target
    service = None if target.service is DEFAULT_SERVICE else target.service.name
    values: dict[str, object] = {"name": target.name, "service": service, "region": found.region}
    values |= {key: getattr(target, key) for key in _CONNECTION}
    values["events"] = target.events.model_dump() if target.events else None
    yield _entry({key: value for key, value in values.items() if value is not None}, "  ")
    for remark in found.remarks:
        yield _comment(remark, "    ")
    if not found.sources:
        yield _comment("no data source found; without data_sources, discovery stays enabled", "    ")
        return
    yield "    data_sources:"
    place = None
    for source in found.sources:
        if place != (place := source.ids[:-1]):
            levels = zip(found.target.service.containers, source.container_names, strict=True)
            yield _comment(", ".join(f"{level.text} {name}" for level, name in levels), "      ")
        yield from _source(found.target.service, source)


def _source(service: Service, source: FoundSource) -> Iterator[str]:
    ids = {level.key: identifier for level, identifier in zip(service.levels, source.ids, strict=True)}
    names = {service.root.word: source.container_names[0], "name": source.name}
    valid_names = {key: value for key, value in names.items() if _is_valid(service, {**ids, key: value})}
    if not _is_valid(service, ids):
        yield _comment(f"left out, because its ids have an unknown format: {' '.join(source.ids)}", "      ")
        return
    yield _entry({**ids, **valid_names}, "      ")
    yield _comment(f"{source.type or 'type unknown'}, {source.status or 'status unknown'}", "        ")


def _is_valid(service: Service, entry: Mapping[str, str]) -> bool:
    try:
        parse_target({"service": service.name, "data_sources": [entry]})
    except ValidationError:
        return False
    return True


def _entry(values: Mapping[str, object], indentation: str) -> str:
    """Return a mapping as an entry of a list, one key a line."""
    text = yaml.safe_dump([dict(values)], allow_unicode=True, sort_keys=False, width=inf)
    return indent(text.rstrip("\n"), indentation)


def _comment(text: str, indentation: str) -> str:
    """Return a comment of one line for any text."""
    return f"{indentation}# {''.join(c if c.isprintable() else ' ' for c in ' '.join(text.split()))}"
