"""The kinds of values that a configuration has; each says what would be right when it is not."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field
from pydantic_core import core_schema

from exporter.config.durations import PATTERN, format_duration, parse_duration
from exporter.config.messages import kind_of, quoted

_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9-]{35}")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]+")
_ROLE = re.compile(r"arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/[a-zA-Z0-9_+=,.@/-]+")
_URL = re.compile(r"https?://[^\s/]+[^\s]*")
MAX_LABELS = 32
MAX_LABEL_VALUE = 256
MAX_NAME = 1000
MAX_TAG_KEY = 128  # AWS's own limit
YEAR = 365 * 86400.0


@dataclass(frozen=True, eq=False)
class Validator:
    """A kind of value: a check that gives the value or raises ValueError for a person, and its JSON Schema."""

    check: Callable[[Any], Any]
    schema: dict[str, Any] = field(default_factory=dict)

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> core_schema.CoreSchema:
        """Let pydantic validate by the check alone."""
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, _schema: object, _handler: object) -> dict[str, Any]:
        """Give the schema as it stands."""
        return dict(self.schema)


def duration(least: float, most: float) -> Validator:
    """Make the kind of durations within bounds, in seconds."""

    def check(text: object) -> float:
        seconds = parse_duration(text)
        if not least <= seconds <= most:
            bounds = f"from {format_duration(least)} to {format_duration(most)}"
            raise ValueError(f"{format_duration(seconds)} is out of range: give a duration {bounds}")
        return seconds

    return Validator(check, {"type": "string", "minLength": 1, "pattern": PATTERN})


def number(least: float, most: float, kind: type[float] = float) -> Validator:
    """Make the kind of numbers within bounds; true and false are none."""
    bounds = f"from {_plain(least)} to {_plain(most)}"

    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float):
            what = "a whole number" if kind is int else "a number"
            raise ValueError(f"{quoted(value)} is not {what}: give one {bounds}")  # noqa: TRY004 (pydantic collects ValueErrors)
        if not least <= value <= most:
            raise ValueError(f"{quoted(value)} is out of range: give a number {bounds}")
        return kind(value)

    return Validator(check, {"type": "integer" if kind is int else "number", "minimum": least, "maximum": most})


def _plain(bound: float) -> str:
    return str(int(bound)) if bound == int(bound) else str(bound)


def _pattern(pattern: re.Pattern[str], right: str) -> Validator:
    def check(text: object) -> str:
        if isinstance(text, str) and pattern.fullmatch(text):
            return text
        raise ValueError(f"{quoted(text)} is not {right}")

    return Validator(check, {"type": "string", "pattern": f"^{pattern.pattern}$"})


def _identifier(text: object) -> str:
    if isinstance(text, str) and _ID.fullmatch(text):
        return text
    given = f", and this has {len(text)}" if isinstance(text, str) else ""
    raise ValueError(f"{quoted(text)} is not an id: it has 36 letters, digits and hyphens, as AWS shows it{given}")


def _text(most: int) -> Validator:
    """Make the kind of text that people read: something to see, on one line, and not endless."""

    def check(text: object) -> str:
        text = _is_text(text)
        if not text.strip():
            raise ValueError(f"{quoted(text)} is empty: give 1 to {most} printable characters")
        return _is_short(text, most, printable=text.isprintable())

    return Validator(check, {"type": "string", "minLength": 1, "maxLength": most, "pattern": r"\S"})


def _label_value(text: object) -> str:
    text = _is_text(text)
    # Spaces of all sorts are fine here; half characters, which UTF-8 cannot write, are not.
    printable = not any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text)
    return _is_short(text, MAX_LABEL_VALUE, printable=printable)


def _is_text(text: object) -> str:
    if isinstance(text, str):
        return text
    quotable = isinstance(text, bool | int | float)
    raise ValueError(
        f"{quoted(text)} is not text: write it in quotes" if quotable else f"{kind_of(text)} where text belongs"
    )


def _is_short(text: str, most: int, *, printable: bool) -> str:
    if len(text) > most:
        raise ValueError(f"{len(text)} characters are too many: give at most {most}")
    if not printable:
        raise ValueError(f"{quoted(text)} has characters that cannot be printed: give text on one line")
    return text


def _label_name(name: object) -> str:
    if isinstance(name, str) and _LABEL.fullmatch(name):
        return name
    raise ValueError("not a name for a label: use letters, digits and underscores, and no digit first")


def _url(text: object) -> str:
    if isinstance(text, str) and _URL.fullmatch(text) and _has_host(text):
        return text
    raise ValueError(f"{quoted(text)} is not a URL: write https://host or http://host:port")


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0  # both raise ValueError for what is none
    except ValueError:
        return False


def _few(labels: Mapping[str, str]) -> Pairs:
    if len(labels) > MAX_LABELS:
        raise ValueError(f"{len(labels)} are too many: give at most {MAX_LABELS}")
    return Pairs(labels)


def _rising(bounds: tuple[float, ...]) -> tuple[float, ...]:
    if not bounds:
        raise ValueError("an empty list: give at least one duration")
    for earlier, later in pairwise(bounds):
        if later <= earlier:
            wrong = f"{format_duration(later)} after {format_duration(earlier)}"
            raise ValueError(f"{wrong}: give each duration longer than the one before")
    return bounds


class Pairs(Mapping[str, str]):
    """A mapping that does not change."""

    def __init__(self, pairs: Mapping[str, str] | None = None) -> None:
        self._pairs = dict(pairs or {})

    def __getitem__(self, name: str) -> str:
        return self._pairs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __hash__(self) -> int:
        return hash(frozenset(self._pairs.items()))

    def __repr__(self) -> str:
        return repr(self._pairs)


Identifier = Annotated[str, Validator(_identifier, {"type": "string", "pattern": f"^{_ID.pattern}$"})]
Name = Annotated[str, _text(MAX_NAME)]
Glob = Annotated[str, _text(MAX_NAME)]
TagKey = Annotated[str, _text(MAX_TAG_KEY)]
Url = Annotated[str, Validator(_url, {"type": "string", "pattern": f"^{_URL.pattern}$"})]
Region = Annotated[str, _pattern(_REGION, "a region: write it as us-east-1")]
RoleArn = Annotated[str, _pattern(_ROLE, "the ARN of a role: write it as arn:aws:iam::111122223333:role/name")]
LabelName = Annotated[str, Validator(_label_name, {"type": "string", "pattern": f"^{_LABEL.pattern}$"})]
LabelValue = Annotated[str, Validator(_label_value, {"type": "string", "maxLength": MAX_LABEL_VALUE})]
_FEW = Field(json_schema_extra={"maxProperties": MAX_LABELS, "additionalProperties": False})
Labels = Annotated[Mapping[LabelName, LabelValue], AfterValidator(_few), _FEW]
LabelGlobs = Annotated[Mapping[LabelName, Glob], AfterValidator(_few), _FEW]
TagGlobs = Annotated[Mapping[TagKey, Glob], AfterValidator(_few), _FEW]
Buckets = Annotated[
    tuple[Annotated[float, duration(0.001, YEAR)], ...],
    AfterValidator(_rising),
    Field(json_schema_extra={"minItems": 1}),
]
