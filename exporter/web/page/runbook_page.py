"""The runbooks of the alerts as pages, from HTML that `make generate` writes into this package."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from markupsafe import escape

from exporter.web.page.rendering import PageTemplate, package_files, trusted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.web.public_address import PublicAddress

STATUS_PAGE = "http://EXPORTER:10142"  # stands for the address of the exporter in the texts
INDEX = "README"  # the file with the part that all runbooks share
_FILL_IN = re.compile(r"[\w-]+")  # characters that need no quotes, either in HTML or in a shell
_UNFILLED_LINK = re.compile(r'(href="\.\./)\?\w+=[A-Z_]+"')


class RunbookPages:
    """Renders the runbooks. Thread-safe."""

    def __init__(self, links: Mapping[str, str], address: PublicAddress) -> None:
        """Read the runbooks; `links` are the paths of other pages of this server by their names."""
        self._template = PageTemplate("runbook.html", links, address.root("../"))
        self.content_security_policy = self._template.content_security_policy
        texts = {file.name.removesuffix(".html"): file for file in package_files("runbooks").iterdir()}
        shown = escape(address.external_url) or STATUS_PAGE
        self._texts = {
            name: file.read_text(encoding="utf-8").replace(STATUS_PAGE, shown) for name, file in sorted(texts.items())
        }
        self.names = self._texts.keys() - {INDEX}
        """The names of the alerts that have a runbook."""

    def render(self, name: str | None, exporter: dict[str, Any], placeholders: Mapping[str, str]) -> bytes:
        """Return the page of a runbook, or without a name the list of all runbooks.

        `exporter` comes from the status document. `placeholders` are the values of words in capitals, such as
        DATA_SOURCE_ID, so that the reader can copy commands as they are.
        """
        return self._template.render(
            name=name,
            exporter=exporter,
            names=sorted(self.names),
            text=trusted(_filled_in(self._texts[name or INDEX], placeholders)),
        )


def _filled_in(text: str, placeholders: Mapping[str, str]) -> str:
    """Return a runbook with its placeholders replaced; a link whose placeholder has no value loses its query."""
    for word, value in placeholders.items():
        if _FILL_IN.fullmatch(value):
            text = re.sub(rf"\b{word}\b", value, text)
    return _UNFILLED_LINK.sub(r'\1"', text)
