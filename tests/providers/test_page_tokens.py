"""Listings that do not end are detected by their page tokens and by the contents of their pages."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from exporter.errors import ProviderError, Reason
from exporter.providers.page_tokens import FREE_PAGES, MAX_REPEATED_PAGES, PageTokens

if TYPE_CHECKING:
    from collections.abc import Iterable

ENOUGH = FREE_PAGES + 2 * MAX_REPEATED_PAGES


def read(pages: Iterable[tuple[str, object]]) -> int:
    """Return the number of pages of a listing, which are tokens and contents."""
    tokens, read_pages = PageTokens("ListJobs"), 0
    for token, contents in pages:
        tokens.add(token)
        tokens.add_page(contents)
        read_pages += 1
    return read_pages


@pytest.mark.parametrize("cycle", [1, 3])
def test_a_listing_that_repeats_its_pages_under_new_tokens_is_an_error(cycle: int) -> None:
    """The poll would otherwise never end, and occupy a worker and a part of the rate limit."""
    with pytest.raises(ProviderError, match="1000 pages before it repeat earlier pages") as error:
        read((f"token-{number}", [f"job-{number % cycle}"]) for number in count())
    assert (error.value.reason, error.value.operation) == (Reason.PAGINATION, "ListJobs")


def test_a_long_listing_of_different_pages_is_no_error() -> None:
    """The number of pages is not limited."""
    assert read((f"token-{number}", [f"job-{number}"]) for number in range(ENOUGH)) == ENOUGH


def test_many_empty_pages_between_others_are_no_error() -> None:
    """A service may filter entries after it has read them."""
    pages = ((f"token-{n}", [] if n % MAX_REPEATED_PAGES else [f"job-{n}"]) for n in range(ENOUGH))
    assert read(pages) == ENOUGH


def test_a_repeated_token_is_an_error() -> None:
    """It leads to the same page again."""
    with pytest.raises(ProviderError, match="page 3 repeats a page token"):
        read([("a", []), ("b", []), ("a", [])])
