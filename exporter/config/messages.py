"""Values as messages show them: as a person wrote them, on one line, and never at length."""

from __future__ import annotations

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
    """Name the kind of a value, for where another kind belongs."""
    return _KINDS.get(type(value), type(value).__name__)


def quoted(value: object) -> str:
    """Show a value in YAML's words, text in quotes and with what cannot be printed escaped."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        # Python refuses to write numbers of thousands of digits.
        return str(value) if abs(value) < _LARGEST else "a number this large"
    if isinstance(value, str):
        return repr(value if len(value) <= LONGEST else value[: LONGEST - 3] + "...")
    return repr(value) if isinstance(value, float) else kind_of(value)


def quoted_key(key: object) -> str:
    """Show a key bare where it can stand so, else like any other text."""
    plain = isinstance(key, str) and 0 < len(key) <= LONGEST and key.isprintable() and key == key.strip()
    return str(key) if plain else quoted(key)
