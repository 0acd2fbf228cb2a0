"""Protects requests that change something against pages of other sites, which a user's browser may open.

Browsers mark such requests with headers, which curl and scripts do not send. The rules are the same as in Go's
`http.CrossOriginProtection`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


def is_cross_origin(headers: Mapping[str, str]) -> bool:
    """Return whether a browser sent a request from a page of another origin."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}  # `none` means that the user typed the address
    # Browsers do not send Sec-Fetch-Site over plain HTTP, but they do send Origin.
    origin = headers.get("origin")
    return origin is not None and _host(origin) != headers.get("host")


def _host(origin: str) -> str | None:
    """Return the host and port of an origin; None without one, as for `null`, the origin of a sandboxed page."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None
