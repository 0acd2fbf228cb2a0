"""Prose within source text.

A reader yields fragments of a source. `masked` lays them out at their own offsets and fills the rest with GAP, so
that an offset into the prose is an offset into the source, and no expression matches across code.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

GAP = "\0"
CODE_WORD = "X"  # replaces each character of inline code and URLs, which then count as one word

INLINE_CODE = re.compile(rf"(`+)[^`{GAP}]{{1,200}}?\1(?!`)|https?://[^\s{GAP})>\]\"]+|\{{\{{.*?\}}\}}")
STRING_OR_COMMENT = re.compile(
    r"""(?ms)\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|(^[ \t]*|(?<=[\s\0]))(\#+[:!]?)([^\n]*\n?)"""
)


class Fragment(NamedTuple):
    """A piece of prose: `text` has the length that it has in the source."""

    start: int
    text: str
    is_comment: bool = False


class Finding(NamedTuple):
    """A mistake at an offset of the source: what is wrong, and what would be right."""

    offset: int
    message: str


def masked(source: str, fragments: Iterable[Fragment]) -> str:
    """Return text as long as the source that contains only the fragments."""
    characters = [GAP] * len(source)
    for start, text, _ in fragments:
        characters[start : start + len(text)] = text
    return INLINE_CODE.sub(lambda match: CODE_WORD * len(match[0]), "".join(characters))


def blanked(source: str, spans: Iterable[tuple[int, int]]) -> str:
    """Return the source with a gap in each span."""
    characters = list(source)
    for start, end in spans:
        characters[start:end] = GAP * (end - start)
    return "".join(characters)


def comments(source: str) -> Iterator[Fragment]:
    """Yield the comments that begin with `#`; those on adjacent lines form one passage."""
    for match in STRING_OR_COMMENT.finditer(source):
        if match[2]:
            indent, marker, text = match.groups()
            yield Fragment(match.start(), indent + " " * len(marker) + text, is_comment=True)


def words(text: str) -> list[str]:
    """Split text into words; punctuation on its own does not count."""
    return [word for word in text.split() if any(character.isalnum() for character in word)]


def position(source: str, offset: int) -> tuple[int, int]:
    """Return the line and column of an offset, both counted from 1."""
    return source.count("\n", 0, offset) + 1, offset - source.rfind("\n", 0, offset)
