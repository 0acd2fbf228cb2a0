"""The page for a request that has no other response, such as an unknown path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.web.page.rendering import PageTemplate

if TYPE_CHECKING:
    from collections.abc import Mapping


class ErrorPage:
    """Renders errors as pages. Thread-safe."""

    def __init__(self, links: Mapping[str, str], root: str) -> None:
        """Use the template for errors, with the links and the root of the status page."""
        self._template = PageTemplate("error.html", links, root)
        self.content_security_policy = self._template.content_security_policy

    def render(self, title: str, error: str, exporter: dict[str, Any]) -> bytes:
        """Return the page; `exporter` comes from the status document."""
        return self._template.render(title=title, error=error, exporter=exporter)
