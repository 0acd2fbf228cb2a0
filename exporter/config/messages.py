"""Messages about invalid values: what is wrong, and what is expected."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.domain.quoting import KINDS, LONGEST, quoted
from exporter.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic_core import ErrorDetails


def kind_of(value: object) -> str:
    """Return the kind of a value in words; true and false are their own words."""
    return KINDS.get(type(value)) or quoted(value)


def quoted_key(key: object) -> str:
    """Return a key, without quotes if it is readable without them.

    It may be a URL with a password, whose own key is missing.
    """
    plain = isinstance(key, str) and 0 < len(key) <= LONGEST and key.isprintable() and key == redact(key.strip())
    return str(key) if plain else quoted(key)


@dataclass(frozen=True, slots=True)
class Expected:
    """An annotation for messages: the name of a type, how to write it, and the format of its bounds.

    `Annotated[str, Field(pattern=…), Expected("a region", "write it as us-east-1")]` results in the message
    "'useast1' is not a region: write it as us-east-1".
    """

    noun: str
    advice: str = ""
    format: Callable[[Any], str] = quoted
    counts_characters: bool = False
    """Whether messages report how many characters a value has."""


TEXT = Expected("text", "write it in quotes")


@dataclass(frozen=True, slots=True)
class Declared:
    """The declaration of the models for a place in a file."""

    expected: Expected
    limits: Mapping[str, Any]
    """The limits of the value, under the names of pydantic: ge, le, min_length, max_length."""
    keys: Sequence[str]
    """The valid keys, if the place is a section."""
    foreign_keys: Mapping[str, str]
    """Advice about keys that are valid only for other services, by key."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed check: the key, the value, the context that pydantic reports, and the declaration of the models."""

    key: str
    value: Any
    context: Mapping[str, Any]
    declared: Declared
    is_key: bool
    """Whether the key itself is invalid. Each message begins with the key, so the rest does not repeat it."""

    @property
    def expected(self) -> Expected:
        """Return the annotation of the type."""
        return self.declared.expected

    @property
    def range(self) -> str:
        """Return the permitted range."""
        limits = self.declared.limits
        return f"from {self.expected.format(limits['ge'])} to {self.expected.format(limits['le'])}"


def message_for(detail: ErrorDetails, failure: Failure) -> str:
    """Return the message for an error of pydantic, without the position and the key."""
    message = MESSAGES.get(detail["type"])
    return message(failure) if message else detail["msg"]


def _unknown_key(failure: Failure) -> str:
    known, foreign = failure.declared.keys, failure.declared.foreign_keys
    if failure.key in foreign:
        return foreign[failure.key]
    close = difflib.get_close_matches(failure.key, known, 1)
    return f"no such key; did you mean {close[0]}?" if close else f"no such key; valid keys: {', '.join(known)}"


def _wrong_kind(expected: str, advice: str = "") -> Callable[[Failure], str]:
    return lambda failure: f"expected {expected}, found {kind_of(failure.value)}{advice}"


def _not_a_number(failure: Failure) -> str:
    if isinstance(failure.value, int) and not isinstance(failure.value, bool):
        return _out_of_range(failure)  # an integer that a float cannot hold
    return f"{quoted(failure.value)} is not {failure.expected.noun}: write one {failure.range}"


def _out_of_range(failure: Failure) -> str:
    return f"{quoted(failure.value)} is out of range: write {failure.expected.noun} {failure.range}"


def _not_text(failure: Failure) -> str:
    if isinstance(failure.value, bool | int | float):
        # YAML may have changed the digits of a number, so an id is not quoted: 0123 is octal, and means 83.
        is_id = failure.expected.counts_characters
        return f"a number is not {failure.expected.noun}: write it in quotes" if is_id else _wrong_format(failure)
    return f"expected text, found {kind_of(failure.value)}"


def _wrong_format(failure: Failure) -> str:
    subject = "" if failure.is_key else f"{quoted(failure.value)} is "
    return f"{subject}not {failure.expected.noun}: {failure.expected.advice}"


def _wrong_text(failure: Failure) -> str:
    if failure.expected.counts_characters:
        return f"{_wrong_format(failure)}; this one has {len(failure.value)} characters"
    if failure.expected is not TEXT:
        return _wrong_format(failure)
    # The only pattern and the only minimum length of plain text reject empty and blank text.
    least, most = failure.declared.limits["min_length"], failure.declared.limits["max_length"]
    return f"{quoted(failure.value)} is empty: write {least} to {most} printable characters"


def _wrong_length(failure: Failure) -> str:
    return f"{len(failure.value)} characters are too many: write at most {failure.declared.limits['max_length']}"


def _too_many(failure: Failure) -> str:
    return f"{len(failure.value)} entries are too many: write at most {failure.context['max_length']}"


def _unknown_word(failure: Failure) -> str:
    words = failure.context["expected"].replace("'", "") if failure.expected is TEXT else failure.expected.advice
    return f"{quoted(failure.value)} is not a valid value: write {words}"


_SECTION = _wrong_kind("keys and values")

MESSAGES: Mapping[str, Callable[[Failure], str]] = {
    "value_error": lambda failure: str(failure.context["error"]),
    "missing": lambda _: "a value is required",
    "extra_forbidden": _unknown_key,
    "model_type": _SECTION,
    "dict_type": _SECTION,
    "tuple_type": _wrong_kind("a list", ": begin each entry with a hyphen"),
    "too_short": lambda _: "an empty list: write at least one entry",
    "too_long": _too_many,
    "bool_type": _wrong_kind("true or false"),
    "int_type": _not_a_number,
    "float_type": _not_a_number,
    "finite_number": _out_of_range,
    "greater_than_equal": _out_of_range,
    "less_than_equal": _out_of_range,
    "string_type": _not_text,
    "string_unicode": lambda _: "the text has characters that UTF-8 cannot encode: remove them",
    "string_too_short": _wrong_text,
    "string_too_long": _wrong_length,
    "string_pattern_mismatch": _wrong_text,
    "url_parsing": _wrong_text,
    "literal_error": _unknown_word,
}
"""The message for each error type of pydantic that the models can cause."""
