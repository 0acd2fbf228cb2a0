"""How messages about invalid input show values."""

from __future__ import annotations

from exporter.redaction import redact

LONGEST = 60
KINDS = {
    dict: "keys and values",
    list: "a list",
    str: "text",
    int: "a number",
    float: "a number",
    type(None): "nothing",
}
"""The kinds of values that a file can have, in words."""

_LARGEST = 10**18


def quoted(value: object) -> str:
    """Return a value as YAML on one line. Text is quoted, escaped and shortened, and passwords are removed."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        # Python refuses to print numbers with thousands of digits.
        return str(value) if abs(value) < _LARGEST else "a number this large"
    if isinstance(value, str):
        value = redact(value)
        return repr(value if len(value) <= LONGEST else value[: LONGEST - 3] + "...")
    return repr(value) if isinstance(value, float) else KINDS[type(value)]
