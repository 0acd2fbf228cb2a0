"""Generate docs/configuration.md, the reference of every key, from the schema of the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docs import stability
from exporter.config import Config, format_duration, json_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = """# Configuration

Written by `make generate` from the models in `exporter/config/`. [config.example.yaml](../config.example.yaml) shows
every key in context. [config.schema.json](config.schema.json) is the JSON schema for editors.

Without `--config.file`, and without a `config.yaml` in the working directory, the exporter watches one target. It has
the region and credentials of the AWS SDK, with discovery enabled.

Durations have the format of Prometheus: `500ms`, `90s`, `1h30m`. Unknown keys, duplicate keys and values out of range
are errors. `qbusiness-exporter check` reports all of them at once, each with file:line:column and the expected value.

SIGHUP or a POST to `/-/reload` applies a changed file. The keys of `state` alone need a restart. Data sources
that stay in the configuration keep their series, their counters and their place in the poll queue, also while AWS does
not respond. [Reloads](discovery.md#reloads) describes targets that are renamed, merged or split."""
_KINDS = {"a-zA-Z0-9-]{35}": "id", "ms)?)$": "duration", "https?": "URL", "arn:aws": "ARN", "[a-z]{2}(-": "region"}
_PLAIN = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "object": "map",
    "array": "list",
    "boolean": "true or false",
}


def configuration_page() -> str:
    """Return the text of docs/configuration.md."""
    schema = json_schema()
    return "\n".join([HEAD, *_section("", schema, schema["$defs"], Config), ""])


def _section(path: str, schema: dict[str, Any], sections: dict[str, Any], model: Any) -> Iterator[str]:  # noqa: ANN401 (a model's class)
    """Yield the lines of a section, followed by the sections below it."""
    below = []
    if path:
        yield from ("", f"## `{path}`", "", schema["description"])
    yield from ("", "| key | value | meaning |", "|---|---|---|")
    for key, value in schema["properties"].items():
        field = model.model_fields[key]
        inner, is_list = _inner(value)
        name = _join(path, key, is_list=is_list)
        kind = f"[{'list of sections' if is_list else 'section'}](#{_anchor(name)})" if inner else _kind(value)
        required = "; required" if key in schema.get("required", ()) else ""
        cell = stability.marked(key, _join(path, key, is_list=False), stability.KEYS)
        yield f"| {cell} | {kind}{required} | {field.description}{_default(field, kind)} |"
        if inner:
            below.append((name, sections[inner], _model_of(field.annotation)))
    for section, its_schema, its_model in below:
        yield from _section(section, its_schema, sections, its_model)


def _join(path: str, key: str, *, is_list: bool) -> str:
    return f"{path}.{key}".lstrip(".") + ("[]" if is_list else "")


def _anchor(path: str) -> str:
    """Return the anchor that GitHub creates for a heading."""
    return path.replace(".", "").replace("[]", "")


def _inner(value: dict[str, Any]) -> tuple[str | None, bool]:
    """Return the section that a value refers to, if any, and whether the value is a list of such sections."""
    for each in (value, *value.get("anyOf", ())):
        if "$ref" in each:
            return each["$ref"].rpartition("/")[2], False
        if "$ref" in each.get("items", {}):
            return each["items"]["$ref"].rpartition("/")[2], True
    return None, False


def _kind(value: dict[str, Any]) -> str:
    value = next((each for each in value.get("anyOf", ()) if each["type"] != "null"), value)
    if value["type"] == "array":
        return f"list of {_kind(value['items'])}s"
    by_pattern = (name for mark, name in _KINDS.items() if mark in value.get("pattern", ""))
    kind = next(by_pattern, _PLAIN[value["type"]])
    bounds = (value.get("minimum"), value.get("maximum"))
    return kind if None in bounds else f"{kind}, {bounds[0]:,} to {bounds[1]:,}"


def _default(field: Any, kind: str) -> str:  # noqa: ANN401 (pydantic's)
    """Return the default of a field, or an empty string if the description states it."""
    if "default" in field.description or not isinstance(field.default, str | float | int | tuple):
        return ""
    values = field.default if isinstance(field.default, tuple) else (field.default,)
    texts = [format_duration(value) if "duration" in kind else _plain(value) for value in values]
    return f" Default: `{', '.join(texts)}`." if texts else ""


def _plain(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _model_of(annotation: Any) -> Any:  # noqa: ANN401 (an annotation is anything)
    found = [_model_of(argument) for argument in getattr(annotation, "__args__", ())]
    return annotation if hasattr(annotation, "model_fields") else next((model for model in found if model), None)
