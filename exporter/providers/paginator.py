"""Listings of an API, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from botocore import xform_name

from exporter.providers.members import parse_items, text
from exporter.providers.page_tokens import PageTokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from exporter.providers.protocols import Listing, ServiceClient

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ListedItems(Generic[T]):
    """The items of a listing: their member in a page, the member with their id, and their parser."""

    member: str
    id: str
    parse: Callable[[Mapping[str, Any]], T]


class Paginator:
    """Reads the listings of a client.

    It works for every listing. botocore has paginators only for some listings, and for none of Amazon Kendra.
    """

    def __init__(self, client: ServiceClient, size: str = "maxResults", next_page: str = "nextToken") -> None:
        """Create the paginator; `size` and `next_page` are the parameters of all listings of the service."""
        self._client = client
        self._size = size
        self._next_page = next_page

    def pages(
        self, operation: str, arguments: Mapping[str, Any], size: int, parse: Callable[[Mapping[str, Any]], T]
    ) -> Iterator[T]:
        """Yield the parsed pages of a listing. Raise ProviderError for errors and for listings that do not end."""
        with self._client.client_for(operation) as client:
            request: Callable[..., Mapping[str, Any]] = getattr(client, xform_name(operation))
            tokens, token = PageTokens(operation), ""
            while True:
                page = request(**arguments, **{self._size: size}, **({self._next_page: token} if token else {}))
                token = text(page, self._next_page)
                tokens.add(token)
                tokens.add_page({**page, self._next_page: None, "ResponseMetadata": None})
                yield parse(page)
                if not token:
                    return

    def listing(self, operation: str, arguments: Mapping[str, Any], size: int, items: ListedItems[T]) -> Listing[T]:
        """Return all items of a listing by their id. Raise ProviderError for errors and for repeated page tokens."""
        with self._client.client_for(operation):
            return parse_items(self.pages(operation, arguments, size, itemgetter(items.member)), items.id, items.parse)
