"""The status page: one HTML document with the data sources that a query selects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from exporter.status.resources import service_of
from exporter.web.page.rendering import PageTemplate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.status.cooperative import ScrapePriority

DEFAULT_PAGE_SIZE = 50  # data sources


class StatusPage:
    """Renders status documents. Thread-safe."""

    def __init__(self, links: Mapping[str, str], root: str = "./", grafana_url: str = "") -> None:
        """Use the template of the page.

        `links` are the paths of other pages of this server by their names, and `root` is the address of this one. With
        an address of Grafana, each data source links to its dashboard.
        """
        self._grafana_url = grafana_url
        self._template = PageTemplate("status.html", links, root, script="script.js")
        self.content_security_policy = self._template.content_security_policy

    def render(self, document: dict[str, Any], choices: Mapping[str, list[str]], priority: ScrapePriority) -> bytes:
        """Return the page for a document; `choices` are the applications and types by which to filter."""
        size = document["page_size"]
        current = {**document["filters"], "page_size": size if size != DEFAULT_PAGE_SIZE else ""}
        parts = self._template.parts(
            document=document,
            exporter=document["exporter"],
            choices=choices,
            address=lambda **changes: _address({**current, **changes}),
            dashboard_of=self._dashboard_of,
            address_alone=lambda **filters: _address({"page_size": current["page_size"], **filters}),
        )
        return "".join(priority.yielding(parts)).encode()

    def _dashboard_of(self, source: dict[str, Any]) -> str | None:
        """Return the URL of a data source's dashboard; None if the URL of Grafana is unknown."""
        if not self._grafana_url:
            return None
        path = f"/d/{service_of(source).data_source_dashboard}"
        return f"{self._grafana_url}{path}?{urlencode({'var-data_source': source['data_source_id']})}"


def _address(parameters: Mapping[str, object]) -> str:
    """Return the relative address of this page with a query string; empty parameters are left out."""
    return "?" + urlencode({name: value for name, value in parameters.items() if value})
