"""Writes a configuration that names data sources, with comments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from textwrap import indent
from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError

from exporter.config.section import Section
from exporter.config.service_models import parse_target
from exporter.domain.durations import format_duration
from exporter.providers.registry import DEFAULT_SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.config.targets import DataSourceConfig, TargetConfig
    from exporter.domain.service import Service


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
    values |= {key: value for key, value in _settings(target).items() if key not in {*values, "data_sources"}}
    # Where the file says nothing about discovery, it is enabled only because no data source is named.
    if not values.get("discovery") and not target.data_sources:
        values.pop("discovery", None)
    yield _entry({key: value for key, value in values.items() if value is not None}, "  ")
    for remark in found.remarks:
        yield _comment(remark, "    ")
    yield from _data_sources(found, discovers="discovery" in values)


def _data_sources(found: FoundTarget, *, discovers: bool) -> Iterator[str]:
    """Yield the data sources that were found, then those that the target names but that were not found."""
    service, configured = found.target.service, {source.path: source for source in found.target.data_sources}
    if not found.sources and not configured:
        yield _comment("no data source found; without data_sources, discovery stays enabled", "    ")
        return
    if discovers:
        yield _comment("discovery stays enabled: remove it to watch only the data sources below", "    ")
    yield "    data_sources:"
    place = None
    for source in found.sources:
        if place != (place := source.ids[:-1]):
            levels = zip(service.containers, source.container_names, strict=True)
            yield _comment(", ".join(f"{level.text} {name}" for level, name in levels), "      ")
        yield from _source(service, source, configured.pop(source.ids, None))
    for missing in configured.values():
        yield _entry(_settings(missing), "      ")
        yield _comment("in the previous configuration, but not found", "        ")


def _source(service: Service, source: FoundSource, configured: DataSourceConfig | None) -> Iterator[str]:
    """Yield a data source, with the settings that it has in the previous configuration."""
    ids = {level.key: identifier for level, identifier in zip(service.levels, source.ids, strict=True)}
    names = {service.root.word: source.container_names[0], "name": source.name}
    valid_names = {key: value for key, value in names.items() if _is_valid(service, {**ids, key: value})}
    if not _is_valid(service, ids):
        yield _comment(f"left out, because its ids have an unknown format: {' '.join(source.ids)}", "      ")
        return
    yield _entry({**ids, **valid_names, **(_settings(configured) if configured else {})}, "      ")
    yield _comment(f"{source.type or 'type unknown'}, {source.status or 'status unknown'}", "        ")


def _settings(section: Section) -> dict[str, object]:
    """Return the keys of a section that a file has set, in the format of the file."""
    fields = type(section).model_fields
    present = (name for name in fields if name in section.model_fields_set)
    return {fields[name].alias or name: _as_written(getattr(section, name)) for name in present}


def _as_written(value: object) -> object:
    if isinstance(value, Section):
        return _settings(value)
    if isinstance(value, tuple):
        return [_as_written(item) for item in value]
    if isinstance(value, Mapping):
        return dict(value)
    return format_duration(value) if isinstance(value, float) else value  # the only numbers of a target are durations


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
