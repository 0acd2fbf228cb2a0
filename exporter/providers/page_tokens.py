"""The page tokens of a listing, to detect a listing that does not end."""

from __future__ import annotations

from exporter.errors import ProviderError, Reason


class PageTokens:
    """The page tokens that the listing of an operation has returned so far.

    The number of pages is not limited, but an endless listing repeats a token at some point.
    """

    def __init__(self, operation: str) -> None:
        self._operation = operation
        self._seen: set[str] = set()

    def add(self, token: str | None) -> None:
        """Record the token of the next page, if there is one; raise ProviderError if it is a repetition."""
        if token in self._seen:
            message = f"page {len(self._seen) + 1} repeats a page token"
            raise ProviderError(Reason.PAGINATION, message, operation=self._operation)
        if token:
            self._seen.add(token)
