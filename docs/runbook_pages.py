"""Renders the runbooks as HTML for the package, because the exporter serves them even in closed networks."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from exporter.web.page.runbook_page import INDEX, STATUS_PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from markdown_it.token import Token

HERE = Path(__file__).parent
RUNBOOKS = HERE / "runbooks"
PACKAGED = HERE.parent / "exporter" / "web" / "page" / "runbooks"

_SERVED = f"{STATUS_PAGE}/"
_RUNBOOK = re.compile(r"(\w+)\.md(#[\w-]+)?")
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def runbook_pages(generated: Mapping[Path, str]) -> dict[Path, str]:
    """Return the HTML of each runbook by its path in the package. Some of the runbooks are generated."""
    texts = {**{book: book.read_text() for book in RUNBOOKS.glob("*.md")}, **generated}
    return {PACKAGED / f"{book.stem}.html": render(text) for book, text in sorted(texts.items())}


def render(text: str) -> str:
    """Return a runbook as HTML. Headings have ids, and each link leads to a page of the exporter itself."""
    tokens = _MARKDOWN.parse(text)
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", re.sub(r"\W+", "-", content.content.lower()))
        if content.children:
            content.children = list(_with_local_links(content.children))
    html: str = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    return html


def _with_local_links(tokens: list[Token]) -> Iterator[Token]:
    """Yield the tokens of a line; a link that the exporter does not serve becomes text with the file's name."""
    instead: list[Token] | None = None
    for token in tokens:
        if token.type == "link_open":
            target = str(token.attrGet("href"))
            instead = _instead_of_link(target)
            token.attrSet("href", _served_at(target))
        if instead is None or not token.type.startswith("link_"):
            yield token
        elif token.type == "link_close":
            yield from instead


def _instead_of_link(target: str) -> list[Token] | None:
    """Return the text to add after a link without a target on the page; None if it has a target."""
    if target.startswith("http://INSTANCE"):  # another replica
        return []
    if target.startswith("../"):
        return _MARKDOWN.parseInline(f" (`docs/{target.removeprefix('../')}`)")[0].children
    return None


def _served_at(target: str) -> str:
    """Return the address of a link's target, relative to the page of a runbook."""
    if found := _RUNBOOK.fullmatch(target):
        return f"./{'' if found[1] == INDEX else found[1]}{found[2] or ''}"
    return f"../{target.removeprefix(_SERVED)}" if target.startswith(_SERVED) else target
