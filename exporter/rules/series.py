"""The names in the text of a rule file."""

from __future__ import annotations

import re

_ALERT = re.compile(r"^ *- alert: (\S+)$", re.MULTILINE)
_RECORD = re.compile(r"^ *- record: (\S+)$", re.MULTILINE)
_RULE = re.compile(r"^ *- (?:alert|record): (\S+)$", re.MULTILINE)
_EXPRESSION = re.compile(
    r"^ *expr:(.*?)(?=^ *(?:for|keep_firing_for|labels|annotations):|\Z)", re.MULTILINE | re.DOTALL
)
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_SUFFIXES = ("", "_bucket", "_count", "_sum")


def alerts_in(text: str) -> list[str]:
    """Return the names of the alerts."""
    return _ALERT.findall(text)


def recorded_names(text: str) -> set[str]:
    """Return the names of the series that rules record."""
    return set(_RECORD.findall(text))


def names_by_rule(text: str) -> list[tuple[str, set[str]]]:
    """Return each rule with the names in its expression: series, labels and functions."""
    _, *parts = _RULE.split(text)
    return [(rule, _names_in(body)) for rule, body in zip(parts[::2], parts[1::2], strict=True)]


def sample_names(family: str) -> tuple[str, ...]:
    """Return the names that samples of a family may have."""
    return tuple(f"{family}{suffix}" for suffix in _SUFFIXES)


def _names_in(text: str) -> set[str]:
    return {name for expression in _EXPRESSION.findall(text) for name in _NAME.findall(expression)}
