"""What is wrong with a value, and what would be right: one message for each error type of pydantic."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic_core import ErrorDetails

LONGEST = 60
_LARGEST = 10**18
_KINDS = {
    dict: "keys and values",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "nothing",
}


def kind_of(value: object) -> str:
    """Return the kind of a value in words, for a message that another kind is needed."""
    return _KINDS.get(type(value), type(value).__name__)


def quoted(value: object) -> str:
    """Return a value as YAML writes it, on one line: text is quoted, escaped and shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        # Python refuses to write numbers of thousands of digits.
        return str(value) if abs(value) < _LARGEST else "a number this large"
    if isinstance(value, str):
        return repr(value if len(value) <= LONGEST else value[: LONGEST - 3] + "...")
    return repr(value) if isinstance(value, float) else kind_of(value)


def quoted_key(key: object) -> str:
    """Return a key, without quotes if it is readable without them."""
    plain = isinstance(key, str) and 0 < len(key) <= LONGEST and key.isprintable() and key == key.strip()
    return str(key) if plain else quoted(key)


@dataclass(frozen=True, slots=True)
class Expected:
    """An annotation for messages: what values of a type are called, how to write one, and the format of its bounds.

    `Annotated[str, Field(pattern=…), Expected("a region", "write it as us-east-1")]` results in the message
    "'useast1' is not a region: write it as us-east-1".
    """

    noun: str
    right: str = ""
    format: Callable[[Any], str] = quoted


TEXT = Expected("text", "write it in quotes")


@dataclass(frozen=True, slots=True)
class Declared:
    """What the models declare for a place in a file: the value, its limits, and the keys if it is a section."""

    expected: Expected
    limits: Mapping[str, Any]
    """By the names that pydantic gives them: ge, le, min_length, max_length."""
    keys: Sequence[str]


@dataclass(frozen=True, slots=True)
class Failure:
    """A check that failed: the key, the value, pydantic's context, and what the models declare for that place."""

    key: str
    value: Any
    context: Mapping[str, Any]
    declared: Declared
    is_key: bool
    """Whether the check is about the key itself. The key precedes each message, so the message does not repeat it."""

    @property
    def expected(self) -> str:
        """A statement of what the value is not, and how to write it."""
        subject = "" if self.is_key else f"{quoted(self.value)} is "
        return f"{subject}not {self.declared.expected.noun}: {self.declared.expected.right}"

    @property
    def range(self) -> str:
        """The permitted range."""
        format_bound, limits = self.declared.expected.format, self.declared.limits
        return f"from {format_bound(limits['ge'])} to {format_bound(limits['le'])}"


def message_for(detail: ErrorDetails, failure: Failure) -> str:
    """Return the message for an error of pydantic, without the position and the key."""
    message = MESSAGES.get(detail["type"])
    return message(failure) if message else detail["msg"]


def _unknown_key(failure: Failure) -> str:
    known = failure.declared.keys
    close = difflib.get_close_matches(failure.key, known, 1)
    return f"no such key; did you mean {close[0]}?" if close else f"no such key; known here: {', '.join(known)}"


def _wrong_kind(expected: str) -> Callable[[Failure], str]:
    return lambda failure: f"{kind_of(failure.value)} where {expected}"


def _not_text(failure: Failure) -> str:
    is_scalar = isinstance(failure.value, bool | int | float)
    return failure.expected if is_scalar else f"{kind_of(failure.value)} where text belongs"


def _not_a_number(failure: Failure) -> str:
    if isinstance(failure.value, int) and not isinstance(failure.value, bool):
        return _out_of_range(failure)  # an integer that a float cannot hold
    return f"{quoted(failure.value)} is not {failure.declared.expected.noun}: give one {failure.range}"


def _out_of_range(failure: Failure) -> str:
    return f"{quoted(failure.value)} is out of range: give {failure.declared.expected.noun} {failure.range}"


def _wrong_text(failure: Failure) -> str:
    if failure.declared.expected is not TEXT:
        return failure.expected
    least, most = failure.declared.limits["min_length"], failure.declared.limits["max_length"]
    return f"{quoted(failure.value)} is empty: give {least} to {most} printable characters"


def _wrong_length(failure: Failure) -> str:
    if failure.declared.expected is not TEXT:
        return f"{failure.expected}; this one has {len(failure.value)}"
    if not failure.value:
        return _wrong_text(failure)
    return f"{len(failure.value)} characters are too many: give at most {failure.declared.limits['max_length']}"


def _unknown_word(failure: Failure) -> str:
    expected = failure.declared.expected
    right = failure.context["expected"].replace("'", "") if expected is TEXT else expected.right
    return f"{quoted(failure.value)} is not known: write {right}"


_SECTION = _wrong_kind("keys and values belong")

MESSAGES: Mapping[str, Callable[[Failure], str]] = {
    "value_error": lambda failure: str(failure.context["error"]),
    "missing": lambda _: "a value is required",
    "extra_forbidden": _unknown_key,
    "model_type": _SECTION,
    "dict_type": _SECTION,
    "tuple_type": _wrong_kind("a list belongs: begin each entry with a hyphen"),
    "too_short": lambda _: "an empty list: give at least one entry",
    "too_long": lambda failure: f"{len(failure.value)} are too many: give at most {failure.context['max_length']}",
    "bool_type": _wrong_kind("true or false belongs"),
    "int_type": _not_a_number,
    "float_type": _not_a_number,
    "finite_number": _out_of_range,
    "greater_than_equal": _out_of_range,
    "less_than_equal": _out_of_range,
    "string_type": _not_text,
    "string_unicode": lambda _: "the text has characters that UTF-8 cannot encode: remove them",
    "string_too_short": _wrong_length,
    "string_too_long": _wrong_length,
    "string_pattern_mismatch": _wrong_text,
    "url_parsing": _wrong_text,
    "literal_error": _unknown_word,
}
"""The message of each error type of pydantic that a model can cause."""
