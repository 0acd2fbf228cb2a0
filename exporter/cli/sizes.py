"""Sizes of files as text: `2GiB`, `500MB`."""

from __future__ import annotations

import re

_BINARY = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_UNITS = {**_BINARY, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(rf"([0-9]{{1,9}}(?:\.[0-9]{{1,9}})?)({'|'.join(_UNITS)})")


def parse_size(text: str) -> int:
    """Return a size in bytes; raise ValueError with the expected format."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a size: write it as 500MiB or 2GiB")
    return int(float(match[1]) * _UNITS[match[2]])


def format_size(size: float) -> str:
    """Return a size in bytes as text with one decimal, in the largest unit that it reaches."""
    unit = max((name for name, least in _BINARY.items() if size >= least), key=_BINARY.__getitem__, default="B")
    return f"{size / _BINARY[unit]:.1f}".removesuffix(".0") + unit
