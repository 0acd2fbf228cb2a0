"""Page tokens, which are opaque, and valid only for the listing for which they were issued."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from exporter.simulator.wire import validation_error

if TYPE_CHECKING:
    from collections.abc import Sequence

Item = TypeVar("Item")

# Faults issue special tokens. A first-page token leads back to the first page, and counts as the page that issued it,
# so that a fault of that page still applies. With a prefix, a real token leads to the same page, or to one that begins
# one entry earlier or later.
_FIRST_PAGE_TOKEN = re.compile(r"(?:same|loop-[ab])-([12])")
AGAIN, BACK, PAST = "again-", "back-", "past-"
_OFFSETS = {AGAIN: 0, BACK: -1, PAST: 1}
_KEY = b"simulated"


class PageCursor(NamedTuple):
    """The position of a page: its number, the items before it, and when the first page was requested."""

    page: int
    offset: int
    as_of: float


def encode_token(cursor: PageCursor, listing: str) -> str:
    """Return the token of a page.

    `listing` is the path and the filters for which the token is valid.
    """
    text = json.dumps(cursor)
    return base64.b64encode(f"{_signature(text, listing)}{text}".encode()).decode()


def decode_token(token: str | None, listing: str, now: float) -> PageCursor:
    """Return the position in a token; the first page without a token; raise ServiceError for an invalid token."""
    prefix = next((prefix for prefix in _OFFSETS if (token or "").startswith(prefix)), "")
    token = (token or "").removeprefix(prefix)
    if not token or _FIRST_PAGE_TOKEN.fullmatch(token):
        return PageCursor(1, 0, now)
    try:
        decoded = base64.b64decode(token, validate=True).decode()
        signature, text = decoded[:32], decoded[32:]
        cursor = PageCursor(*json.loads(text))
    except (ValueError, TypeError):
        raise validation_error("nextToken", "The token is invalid") from None
    if signature != _signature(text, listing):
        raise validation_error("nextToken", "The token is not valid for this request")
    as_of = min(cursor.as_of, now)  # a stale replica lacks jobs that had started when the first page was requested
    return cursor._replace(offset=cursor.offset + _OFFSETS.get(prefix, 0), as_of=as_of)


def page_of(items: Sequence[Item], cursor: PageCursor, size: int, listing: str) -> tuple[Sequence[Item], str | None]:
    """Return the items of a page, and the token of the next page; None after the last page."""
    end = cursor.offset + size
    following = PageCursor(cursor.page + 1, end, cursor.as_of)
    return items[cursor.offset : end], encode_token(following, listing) if end < len(items) else None


def page_number(token: str | None) -> int:
    """Return the page number in a token: 1 without a token, at least 2 with one, even an invalid one."""
    if not token:
        return 1
    if first_page := _FIRST_PAGE_TOKEN.fullmatch(token):
        return int(first_page[1])
    try:
        return max(2, PageCursor(*json.loads(base64.b64decode(token)[32:])).page)
    except (ValueError, TypeError):
        return 2


def _signature(text: str, listing: str) -> str:
    return hashlib.blake2b(f"{text} {listing}".encode(), key=_KEY, digest_size=16).hexdigest()
