"""The types of values in a configuration file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    WithJsonSchema,
)
from pydantic_core import PydanticKnownError

from exporter.config.messages import Expected
from exporter.domain.durations import PATTERN, format_duration, parse_duration
from exporter.domain.label_names import LABEL_NAME
from exporter.domain.quoting import quoted
from exporter.domain.units import DAY

if TYPE_CHECKING:
    from exporter.domain.service import Level

REGION = "[a-z]{2,4}(-[a-z]+)+-[0-9]+"
ROLE = "arn:aws(-cn|-us-gov|-eusc|-iso(-[bef])?)?:iam::[0-9]{12}:role/[a-zA-Z0-9_+=,.@/-]+"
_URL = r"https?://[^\s/@]+(/[^\s]*)?"
_QUEUE_URL = r"https?://[^\s/@]+/[0-9]{12}/[a-zA-Z0-9_-]{1,80}(\.fifo)?"
MAX_LABELS = 32
MAX_LABEL_VALUE = 256
MAX_NAME = 1000
MAX_TAG_KEY = 128  # the limit of AWS
MIN_INTERVAL = 0.1  # seconds
MAX_PORT = 65535
_HOST = re.compile(r"(?:\[[^\]\[]+\]|[^:\]\[]*)(?::(?P<port>[0-9]{1,5})?)?")


class Pairs(Mapping[str, str]):
    """An immutable, hashable mapping."""

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


def _on_one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"{quoted(text)} has characters that cannot be printed: write text on one line")
    return text


def _label_value(text: str) -> str:
    # str.isprintable() also rejects spaces such as U+00A0. A label may contain them, but no control characters.
    if any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in text):
        _on_one_line(text)
    return text


def _file_path(text: str) -> str:
    if "://" in text:
        # The message omits the URL, which may contain a password.
        raise ValueError("a URL instead of the path of a file: write a database as url")
    return text


def _with_host(url: str) -> str:
    try:
        parts = urlsplit(url)
        if parts.hostname and parts.port != 0:  # both raise ValueError for an invalid URL
            return url
    except ValueError as error:
        raise PydanticKnownError("url_parsing", {"error": str(error)}) from error
    raise PydanticKnownError("url_parsing", {"error": "no host"})


def _database_url(url: str) -> str:
    """Check a URL for libpq. No message quotes it, because it may contain a password."""
    if not url.isprintable() or " " in url:
        raise ValueError("the URL has blanks, or characters that cannot be printed: write them as %20")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ValueError("not a URL: write postgresql://HOST/DATABASE?user=NAME") from error
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ValueError("not the URL of a PostgreSQL database: write postgresql://HOST/DATABASE?user=NAME")
    # libpq would take a part of the password for the host or the port, and quote it in its errors.
    if parts.netloc.count("@") > 1 or "@" in parts.path:
        raise ValueError("the user or the password has characters such as @ and /: write them as %40 and %2F")
    before, at, after = url.partition("://")[2].partition("@")
    hosts = re.split("[/?]", after if at and "/" not in before else before)[0]
    if not all(map(_is_host, hosts.split(","))):
        raise ValueError("a port is not valid: write HOST:5432, and : and / in a password as %3A and %2F")
    return url


def _is_host(text: str) -> bool:
    found = _HOST.fullmatch(text)
    return found is not None and int(found["port"] or 1) in range(1, MAX_PORT + 1)


def _never_or_interval(seconds: float) -> float:
    if 0 < seconds < MIN_INTERVAL:
        raise ValueError(f"{format_duration(seconds)} is too short: write 0s for never, or at least 100ms")
    return seconds


def _rising(bounds: tuple[float, ...]) -> tuple[float, ...]:
    for earlier, later in pairwise(bounds):
        if later <= earlier:
            wrong = f"{format_duration(later)} after {format_duration(earlier)}"
            raise ValueError(f"{wrong}: list the durations in ascending order")
    return bounds


Number = Annotated[StrictFloat, Field(allow_inf_nan=False), Expected("a number")]
WholeNumber = Annotated[StrictInt, Expected("a whole number")]
Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": "string", "minLength": 1, "pattern": PATTERN}),
    Expected("a duration", format=format_duration),
]
"""A duration in seconds, in the format of Prometheus in a file.

Write the bounds of an optional duration inside: `Annotated[Duration, Field(ge=…, le=…)] | None`. Bounds outside would
appear in the JSON schema, in which the value is text.
"""
IntervalOrNever = Annotated[Duration, AfterValidator(_never_or_interval)]

Name = Annotated[StrictStr, Field(min_length=1, max_length=MAX_NAME, pattern=r"\S"), AfterValidator(_on_one_line)]
Glob = Name
FilePath = Annotated[Name, AfterValidator(_file_path)]
TagKey = Annotated[StrictStr, Field(min_length=1, max_length=MAX_TAG_KEY, pattern=r"\S"), AfterValidator(_on_one_line)]
Url = Annotated[
    StrictStr,
    Field(pattern=f"^{_URL}$"),
    AfterValidator(_with_host),
    Expected("a URL", "write https://host or http://host:port, without a user name"),
]
DatabaseUrl = Annotated[
    StrictStr, Field(min_length=1, max_length=MAX_NAME, pattern=r"\S"), AfterValidator(_database_url)
]
QueueUrl = Annotated[
    StrictStr,
    Field(pattern=f"^{_QUEUE_URL}$"),
    AfterValidator(_with_host),
    Expected("the URL of a queue", "write https://sqs.REGION.amazonaws.com/ACCOUNT/NAME"),
]
Flag = StrictBool
Region = Annotated[StrictStr, Field(pattern=f"^{REGION}$"), Expected("a region", "write it as us-east-1")]
RoleArn = Annotated[
    StrictStr,
    Field(pattern=f"^{ROLE}$"),
    Expected("the ARN of a role", "write it as arn:aws:iam::111122223333:role/name"),
]
LabelName = Annotated[
    StrictStr,
    Field(pattern=f"^{LABEL_NAME}$"),
    Expected("a label name", "use letters, digits and underscores, and no digit first"),
]
LabelValue = Annotated[StrictStr, Field(max_length=MAX_LABEL_VALUE), AfterValidator(_label_value)]
_FEW = Field(max_length=MAX_LABELS, json_schema_extra={"additionalProperties": False})
Labels = Annotated[Mapping[LabelName, LabelValue], _FEW, AfterValidator(Pairs)]
LabelGlobs = Annotated[Mapping[LabelName, Glob], _FEW, AfterValidator(Pairs)]
TagGlobs = Annotated[Mapping[TagKey, Glob], _FEW, AfterValidator(Pairs)]
Buckets = Annotated[
    tuple[Annotated[Duration, Field(ge=0.001, le=365 * DAY)], ...], Field(min_length=1), AfterValidator(_rising)
]


def identifier(level: Level) -> Any:  # noqa: ANN401 (a type made at run time)
    """Return the type of the ids of a level."""
    return Annotated[
        StrictStr,
        Field(pattern=f"^{level.id_pattern}$", json_schema_extra={"format": "id"}),
        Expected("an id", level.id_rule, counts_characters=True),
    ]
