"""Writes a configuration that names data sources, with comments for the person who goes on from there."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from exporter.config.models import DataSourceConfig

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.config.models import TargetConfig

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}  # which YAML takes for something else
_CONNECTION = ("name", "region", "role_arn", "external_id", "profile", "endpoint_url")


@dataclass(frozen=True, slots=True)
class FoundSource:
    """A data source to write down, with its names as AWS has them."""

    ids: tuple[str, str, str]
    application: str
    index: str
    name: str
    type: str
    status: str


@dataclass(frozen=True, slots=True)
class FoundTarget:
    """A target, what was found there, and what there is to say of it."""

    target: TargetConfig
    region: str
    sources: Sequence[FoundSource]
    remarks: Sequence[str] = ()


def write(targets: Sequence[FoundTarget], heading: Sequence[str]) -> str:
    """Give the text of a configuration."""
    lines = [*(_comment(line, "") for line in heading), "targets:"]
    for target in targets:
        lines += _target(target)
    return "\n".join(lines) + "\n"


def _target(found: FoundTarget) -> Iterator[str]:
    keys = [(key, getattr(found.target, key)) for key in _CONNECTION]
    given = {**{key: value for key, value in keys if value is not None}, "region": found.region}
    for number, (key, value) in enumerate(given.items()):
        yield f"{'    ' if number else '  - '}{key}: {_scalar(value)}"
    for remark in found.remarks:
        yield _comment(remark, "    ")
    if not found.sources:
        yield _comment("nothing was found; without data_sources the exporter goes on looking", "    ")
        return
    yield "    data_sources:"
    place = None
    for source in found.sources:
        if place != (place := source.ids[:2]):
            yield _comment(f"application {source.application}, index {source.index}", "      ")
        yield from _source(source)


def _source(source: FoundSource) -> Iterator[str]:
    entry = dict(zip(("application_id", "index_id", "data_source_id"), source.ids, strict=True))
    names = {"application": source.application, "name": source.name}
    usable = {key: value for key, value in names.items() if _accepted(entry, {key: value})}
    if not _accepted(entry, {}):
        yield _comment(f"cannot be named, for its ids are of no known form: {' '.join(source.ids)}", "      ")
        return
    for number, (key, value) in enumerate({**entry, **usable}.items()):
        yield f"{'        ' if number else '      - '}{key}: {_scalar(value)}"
    yield _comment(f"{source.type or 'type unknown'}, {source.status or 'status unknown'}", "        ")


def _accepted(entry: dict[str, str], more: dict[str, str]) -> bool:
    try:
        DataSourceConfig.model_validate({**entry, **more})
    except ValidationError:
        return False
    return True


def _scalar(text: str) -> str:
    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return text if is_plain else json.dumps(text, ensure_ascii=not text.isprintable())


def _comment(text: str, indent: str) -> str:
    """Write a comment: on one line, whatever is in the text."""
    return f"{indent}# {''.join(c if c.isprintable() else ' ' for c in ' '.join(text.split()))}"
