"""Generate docs/configuration.md, the reference of every key, from the schema of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from docs import stability
from exporter.config import Config, json_schema
from exporter.domain.durations import format_duration

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
that stay in the configuration keep their series, their counters and their place in the poll queue, even while AWS does
not respond. [Reloads](discovery.md#reloads) describes targets that are renamed, merged or split.

The file may be a pipe that ends within three seconds, as in `check --config.file=<(envsubst < template)`. `serve`
cannot read a pipe again, so a reload then fails and keeps the configuration."""
_KINDS = {"ms)?)$": "duration", "https?": "URL", "arn:aws": "ARN", "[a-z]{2,4}(-": "region"}
_PLAIN = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "object": "map",
    "array": "list",
    "boolean": "true or false",
}


@dataclass(frozen=True)
class _Variant:
    """A section in targets of a service, or in all files if the service is empty."""

    schema: dict[str, Any]
    model: Any
    service: str = ""


def configuration_page() -> str:
    """Return the text of docs/configuration.md."""
    schema = json_schema()
    return "\n".join([HEAD, *_section("", [_Variant(schema, Config)], schema["$defs"]), ""])


def _section(path: str, variants: list[_Variant], sections: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a section, followed by the sections below it."""
    if path:
        yield from ("", f"## `{path}`", "", variants[0].schema["description"])
    tables = {variant.service: _table(path, variant) for variant in variants}
    differ = any(table != tables[variants[0].service] for table in tables.values())
    for service, table in tables.items() if differ else [next(iter(tables.items()))]:
        if differ:
            yield from ("", f"With `service: {service}`:")
        yield from table
    for key, value in variants[0].schema["properties"].items():
        inner, is_list = _inner(value)
        if inner:
            below = [each for variant in variants for each in _below(variant, key, sections)]
            yield from _section(_join(path, key, is_list=is_list), below, sections)


def _table(path: str, variant: _Variant) -> list[str]:
    """Return the table of a section's keys."""
    return [
        "",
        "| key | value | meaning |",
        "|---|---|---|",
        *(_row(path, variant, key) for key in variant.schema["properties"]),
    ]


def _row(path: str, variant: _Variant, key: str) -> str:
    value, field = variant.schema["properties"][key], _field(variant.model, key)
    inner, is_list = _inner(value)
    anchor = _anchor(_join(path, key, is_list=is_list))
    kind = f"[{'list of sections' if is_list else 'section'}](#{anchor})" if inner else _kind(value)
    required = "; required" if key in variant.schema.get("required", ()) and "const" not in value else ""
    cell = stability.marked(key, _join(path, key, is_list=False), stability.KEYS)
    return f"| {cell} | {kind}{required} | {field.description}{_default(field, kind)} |"


def _below(variant: _Variant, key: str, sections: dict[str, Any]) -> Iterator[_Variant]:
    """Yield the variants of a section below another one."""
    models = _models_in(_field(variant.model, key).annotation)
    names, _ = _inner(variant.schema["properties"][key])
    for name, model in zip(names, models, strict=True):
        schema = sections[name]
        yield _Variant(schema, model, schema["properties"].get("service", {}).get("const", variant.service))


def _field(model: Any, key: str) -> Any:  # noqa: ANN401 (pydantic's)
    """Return the field of a model by its key in the file."""
    return next(field for name, field in model.model_fields.items() if (field.alias or name) == key)


def _join(path: str, key: str, *, is_list: bool) -> str:
    return f"{path}.{key}".lstrip(".") + ("[]" if is_list else "")


def _anchor(path: str) -> str:
    """Return the anchor that GitHub creates for a heading."""
    return path.replace(".", "").replace("[]", "")


def _inner(value: dict[str, Any]) -> tuple[list[str], bool]:
    """Return the sections that a value refers to, one for each service, and whether it is a list."""
    for each in (value, *value.get("anyOf", ())):
        if "$ref" in each:
            return [_name(each)], False
        items = each.get("items", {})
        if names := [_name(item) for item in (items, *items.get("oneOf", ())) if "$ref" in item]:
            return names, True
    return [], False


def _name(reference: dict[str, str]) -> str:
    return reference["$ref"].rpartition("/")[2]


def _kind(value: dict[str, Any]) -> str:
    value = next((each for each in value.get("anyOf", ()) if each["type"] != "null"), value)
    if value["type"] == "array":
        return f"list of {_kind(value['items'])}s"
    if value.get("format") == "id":
        return "id"
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


def _models_in(annotation: Any) -> list[Any]:  # noqa: ANN401 (an annotation is anything)
    """Return the models in an annotation, in their order."""
    if hasattr(annotation, "model_fields"):
        return [annotation]
    return [model for argument in getattr(annotation, "__args__", ()) for model in _models_in(argument)]
