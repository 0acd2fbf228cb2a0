"""The documents of one data source, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from exporter.domain.service import Use
from exporter.providers.page_tokens import PageTokens

if TYPE_CHECKING:
    from exporter.domain.model import SourceId
    from exporter.providers import DocumentPage


class DocumentProvider(Protocol):
    """Lists documents, as a `Provider` does."""

    def documents(self, source: SourceId, token: str | None = None) -> DocumentPage:
        """Return one page of a data source's documents."""


class DocumentListing:
    """The listing of one data source's documents. After a failed request, it continues with the same page."""

    def __init__(self, provider: DocumentProvider, source: SourceId) -> None:
        self._provider = provider
        self._source = source
        self._token: str | None = None
        self._tokens = PageTokens(source.service.action(Use.DOCUMENTS))
        self.is_complete = False
        """Whether the last page was returned."""

    def next_page(self) -> DocumentPage:
        """Request and return the next page; raise ProviderError for a failed request, or for a listing without end."""
        page = self._provider.documents(self._source, self._token)
        self._tokens.add(page.next_token)
        self._tokens.add_page(page.documents)
        self._token = page.next_token or None
        self.is_complete = not page.next_token
        return page
