"""The page tokens of a listing, to detect a listing that does not end."""

from __future__ import annotations

from exporter.errors import ProviderError, Reason

FREE_PAGES = 50  # pages that are not compared, which is more than nearly every listing has
# A service may return many empty pages, if it filters entries after it has read them.
MAX_REPEATED_PAGES = 1000


class PageTokens:
    """The page tokens that the listing of an operation has returned so far.

    The number of pages is not limited, but an endless listing repeats a token at some point, or the contents of pages.
    """

    def __init__(self, operation: str) -> None:
        self._operation = operation
        self._seen: set[str] = set()
        self._contents: set[int] = set()
        self._repeated = 0

    def add(self, token: str | None) -> None:
        """Record the token of the next page, if there is one; raise ProviderError if it is a repetition."""
        if token in self._seen:
            raise self._endless("repeats a page token")
        if token:
            self._seen.add(token)

    def add_page(self, contents: object) -> None:
        """Record a page without its token; raise ProviderError if too many pages in a row repeat earlier ones."""
        if len(self._seen) < FREE_PAGES:
            return
        digest = hash(repr(contents))
        self._repeated = self._repeated + 1 if digest in self._contents else 0
        self._contents.add(digest)
        if self._repeated > MAX_REPEATED_PAGES:
            raise self._endless(f"and {MAX_REPEATED_PAGES} pages before it repeat earlier pages")

    def _endless(self, problem: str) -> ProviderError:
        message = f"page {len(self._seen) + 1} {problem}"
        return ProviderError(Reason.PAGINATION, message, operation=self._operation)
