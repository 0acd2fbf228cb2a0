"""The kinds of values that a configuration has; each says what would be right when it is not."""

from __future__ import annotations

import re
from collections.abc import Callable  # noqa: TC003 (in a dataclass that pydantic looks into)
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

from pydantic_core import core_schema

from exporter.config.durations import PATTERN, format_duration, parse_duration

_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9-]{35}")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]+")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+")
_URL = re.compile(r"https?://[^\s/]+[^\s]*")
MAX_LABELS = 32
MAX_LABEL_VALUE = 256
MAX_NAME = 1000


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of value: a check that gives the value or raises ValueError for a person, and its JSON Schema."""

    check: Callable[[Any], Any]
    schema: dict[str, Any]

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> core_schema.CoreSchema:
        """Let pydantic validate by the check alone."""
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, _schema: object, _handler: object) -> dict[str, Any]:
        """Give the schema as it stands."""
        return dict(self.schema)


def duration(least: float, most: float) -> Kind:
    """Make the kind of durations within bounds, in seconds."""

    def check(text: object) -> float:
        seconds = parse_duration(text)
        if not least <= seconds <= most:
            bounds = f"from {format_duration(least)} to {format_duration(most)}"
            raise ValueError(f"{format_duration(seconds)} is out of range: give a duration {bounds}")
        return seconds

    return Kind(check, {"type": "string", "pattern": PATTERN})


def number(least: float, most: float, kind: type[float] = float) -> Kind:
    """Make the kind of numbers within bounds; true and false are none."""

    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float):
            what = "a whole number" if kind is int else "a number"
            raise ValueError(f"{value!r} is not {what}: give one from {least:g} to {most:g}")  # noqa: TRY004 (as above)
        if not least <= value <= most:
            raise ValueError(f"{value:g} is out of range: give a number from {least:g} to {most:g}")
        return kind(value)

    return Kind(check, {"type": "integer" if kind is int else "number", "minimum": least, "maximum": most})


def _pattern(pattern: re.Pattern[str], right: str) -> Kind:
    def check(text: object) -> str:
        if isinstance(text, str) and pattern.fullmatch(text):
            return text
        raise ValueError(f"{text!r} is not {right}")

    return Kind(check, {"type": "string", "pattern": f"^{pattern.pattern}$"})


def _identifier(text: object) -> str:
    if isinstance(text, str) and _ID.fullmatch(text):
        return text
    given = f", and this has {len(text)}" if isinstance(text, str) else ""
    raise ValueError(f"{text!r} is not an id: it has 36 letters, digits and hyphens, as AWS shows it{given}")


def _printable(text: object) -> str:
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is not text: put it in quotes")  # noqa: TRY004 (pydantic collects ValueErrors)
    if not 1 <= len(text) <= MAX_NAME or not text.isprintable():
        raise ValueError(f"give 1 to {MAX_NAME} printable characters")
    return text


def _labels(labels: object) -> dict[str, str]:
    if not isinstance(labels, dict):
        raise ValueError("give labels as names and values: {team: hr}")  # noqa: TRY004 (pydantic collects ValueErrors)
    for name, value in labels.items():
        if not _LABEL.fullmatch(name):
            raise ValueError(f"{name!r} cannot be a label: use letters, digits and underscores, and no digit first")
        if not isinstance(value, str):
            raise ValueError(f'{name}: {value!r} is not text: write "{value}" in quotes')  # noqa: TRY004 (the same)
        if len(value) > MAX_LABEL_VALUE or not value.isprintable():
            raise ValueError(f"{name}: a label value has at most {MAX_LABEL_VALUE} printable characters")
    if len(labels) > MAX_LABELS:
        raise ValueError(f"{len(labels)} labels: at most {MAX_LABELS} are shown")
    return labels


def _buckets(bounds: object) -> tuple[float, ...]:
    if not isinstance(bounds, list):
        raise ValueError("give a list of durations: [1m, 5m, 1h]")  # noqa: TRY004 (pydantic collects ValueErrors)
    seconds = tuple(parse_duration(bound) for bound in bounds)
    if not seconds or any(later <= earlier for earlier, later in pairwise((0.0, *seconds))):
        raise ValueError("give at least one duration, each longer than the one before")
    return seconds


def _url(text: object) -> str:
    if isinstance(text, str) and _URL.fullmatch(text):
        return text
    raise ValueError(f"{text!r} is not a URL: write https://host or http://host:port")


_DURATION = {"type": "string", "pattern": PATTERN}

Identifier = Annotated[str, Kind(_identifier, {"type": "string", "pattern": f"^{_ID.pattern}$"})]
Name = Annotated[str, Kind(_printable, {"type": "string", "minLength": 1, "maxLength": MAX_NAME})]
Url = Annotated[str, Kind(_url, {"type": "string", "pattern": f"^{_URL.pattern}$"})]
Region = Annotated[str, _pattern(_REGION, "a region: write it as us-east-1")]
RoleArn = Annotated[str, _pattern(_ROLE, "the ARN of a role: write it as arn:aws:iam::111122223333:role/name")]
Labels = Annotated[
    dict[str, str],
    Kind(_labels, {"type": "object", "additionalProperties": {"type": "string", "maxLength": MAX_LABEL_VALUE}}),
]
Buckets = Annotated[tuple[float, ...], Kind(_buckets, {"type": "array", "items": _DURATION, "minItems": 1})]
