"""Page tokens: opaque, and good only for the question that they were issued for."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import NamedTuple

from exporter.simulator.wire import invalid

# Faults hand out tokens of their own. These lead to the beginning and count as the page that handed them out, so that
# a fault of that page goes on; a prefix leads to the same page, or to one that begins an entry before or after it.
_NOWHERE = re.compile(r"(?:same|loop-[ab])-([12])")
AGAIN, BACK, PAST = "again-", "back-", "past-"
_MOVES = {AGAIN: 0, BACK: -1, PAST: 1}
_KEY = b"simulated"


class PageCursor(NamedTuple):
    """Where a listing goes on: its page, how many items went before, and when its first page was asked for."""

    page: int
    offset: int
    as_of: float


def issue(place: PageCursor, question: str) -> str:
    """Make the token that leads to a place."""
    said = json.dumps(place)
    return base64.b64encode(f"{_seal(said, question)}{said}".encode()).decode()


def redeem(token: str | None, question: str, now: float) -> PageCursor:
    """Give the place that a token leads to, the beginning without one; raises ServiceError for a foreign token."""
    prefix = next((prefix for prefix in _MOVES if (token or "").startswith(prefix)), "")
    token = (token or "").removeprefix(prefix)
    if not token or _NOWHERE.fullmatch(token):
        return PageCursor(1, 0, now)
    try:
        text = base64.b64decode(token, validate=True).decode()
        seal, said = text[:32], text[32:]
        place = PageCursor(*json.loads(said))
    except (ValueError, TypeError):
        raise invalid("nextToken", "The token is not one of ours") from None
    if seal != _seal(said, question):
        raise invalid("nextToken", "The token is not one of this question")
    return place._replace(offset=place.offset + _MOVES.get(prefix, 0))


def page_number(token: str | None) -> int:
    """Tell which page a token asks for, as far as it says: 1 without a token, at least 2 with one."""
    if not token:
        return 1
    if nowhere := _NOWHERE.fullmatch(token):
        return int(nowhere[1])
    try:
        return max(2, PageCursor(*json.loads(base64.b64decode(token)[32:])).page)
    except (ValueError, TypeError):
        return 2


def _seal(said: str, question: str) -> str:
    return hashlib.blake2b(f"{said} {question}".encode(), key=_KEY, digest_size=16).hexdigest()
