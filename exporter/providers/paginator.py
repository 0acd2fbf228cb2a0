"""The pages of a listing for which botocore has a paginator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from exporter.providers.page_tokens import PageTokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from exporter.providers.protocols import ServiceClient

T = TypeVar("T")


class Paginator:
    """Reads the listings of a client."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def pages(
        self,
        method: str,
        operation: str,
        arguments: Mapping[str, Any],
        size: int,
        parse: Callable[[dict[str, Any]], T],
    ) -> Iterator[T]:
        """Yield the parsed pages of a listing. Raise ProviderError also for repeated page tokens."""
        with self._client.client_for(operation) as client:
            paginator = client.get_paginator(method)
            tokens = PageTokens(operation)
            for page in paginator.paginate(**arguments, PaginationConfig={"PageSize": size}):
                tokens.add(page.get("nextToken"))
                yield parse(page)
