"""Markdown: prose without code, links' targets and HTML, and the length of its sentences."""

from __future__ import annotations

import re
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

from markdown_it import MarkdownIt

from tools.language.text import CODE_WORD, Finding, Fragment, masked, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

MAX_SENTENCE_WORDS = 25
SENTENCE_END = re.compile(
    r"""(?<!\be\.g)(?<!\bi\.e)(?<!\bcf)(?<!\bvs)(?<!\bNo)(?<!\bapprox)[.!?]+["')\]]*(?=\s+["'(\[]*[A-Z0-9])|\s·\s"""
)

_parser = MarkdownIt("commonmark").enable("table").disable("text_join")


class Block(NamedTuple):
    """The text of a paragraph, heading, list item or table cell, at its place in the source."""

    start: int
    text: str
    in_table: bool


def blocks(source: str) -> Iterator[Block]:
    """Yield the blocks of a document; inline code is replaced by a single word."""
    starts = list(accumulate((len(line) + 1 for line in source.split("\n")), initial=0))
    cursor, in_table = 0, False
    for token in _parser.parse(source):
        if token.type in {"table_open", "table_close"}:
            in_table = token.type == "table_open"
        if token.type == "inline" and token.map:
            fragments = list(_pieces(source, token, max(cursor, starts[token.map[0]])))
            if fragments:
                start, cursor = fragments[0].start, fragments[-1].start + len(fragments[-1].text)
                yield Block(start, _joined(fragments, cursor - start), in_table)


def _pieces(source: str, block: Token, cursor: int) -> Iterator[Fragment]:
    """Yield the text, code and image descriptions of a block, searched for in the source in their order."""
    for piece in block.children or ():
        for part in piece.content.split("|"):  # in a table, the source has `\|`
            at = source.find(part, cursor) if part else -1
            if at >= 0:
                cursor = at + len(part)
                if piece.type != "html_inline":
                    yield Fragment(at, CODE_WORD * len(part) if piece.type == "code_inline" else part)


def _joined(fragments: list[Fragment], length: int) -> str:
    """Return the fragments, with spaces in the places of markup."""
    text, start = [" "] * length, fragments[0].start
    for at, content, _ in fragments:
        text[at - start : at - start + len(content)] = content
    return "".join(text)


def markdown_fragments(source: str) -> Iterator[Fragment]:
    """Yield the text of each block."""
    for start, text, _ in blocks(source):
        yield Fragment(start, text)


def check_sentences(source: str) -> Iterator[Finding]:
    """Yield the sentences outside tables that are too long."""
    for block in blocks(source):
        text = masked(block.text, [Fragment(0, block.text)])
        bounds = [0, *(match.end() for match in SENTENCE_END.finditer(text)), len(text)]
        for begin, end in pairwise(bounds):
            count = len(words(text[begin:end]))
            if count > MAX_SENTENCE_WORDS and not block.in_table:
                offset = block.start + begin + len(text[begin:end]) - len(text[begin:end].lstrip())
                yield Finding(offset, f"{count} words in one sentence: write at most {MAX_SENTENCE_WORDS}")
