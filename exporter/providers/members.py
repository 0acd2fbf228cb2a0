"""Reads members of responses, and checks their types.

A member of the wrong type raises ProviderError, because the rest of such a response cannot be trusted. In a sync job,
`job_parsing` ignores it instead, so that one job does not hide the others. A missing member, or an impossible value of
the right type, is ignored, with a warning if the operator should know.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from exporter.errors import ProviderError, Reason
from exporter.providers.protocols import Listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

T = TypeVar("T")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_LIMIT = 10**18
# A time outside these years is wrong. A time in milliseconds is far above.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
LATEST = datetime(2100, 1, 1, tzinfo=UTC).timestamp()


def member(raw: Mapping[str, Any], name: str, *kinds: type) -> Any:  # noqa: ANN401 (JSON, whose type is checked here)
    """Return a member of one of these types, or None; raise ProviderError for another type."""
    value = raw.get(name)
    if value is not None and (not isinstance(value, kinds) or isinstance(value, bool)):
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise ProviderError(
            Reason.MALFORMED_RESPONSE,
            f"malformed response: expected {expected} in `{name}`, got {type(value).__name__}",
        )
    return value


def text(raw: Mapping[str, Any], name: str) -> str:
    """Return a member that is text; empty if it is missing."""
    # JSON may contain lone surrogates, which cannot be encoded for pages, logs and the database.
    found: str = member(raw, name, str) or ""
    return found.encode("utf-8", "replace").decode("utf-8")


def integer(raw: Mapping[str, Any], name: str) -> int | None:
    """Return a member that is a count: an integer, or one as text or with a fraction of zero.

    Raise ProviderError otherwise, and for an impossible count. A gauge could not have one that is too large.
    """
    found = member(raw, name, int, float, str)
    if (isinstance(found, float) and found.is_integer()) or (isinstance(found, str) and _INTEGER.fullmatch(found)):
        found = int(found)
    checked: int | None = member({name: found}, name, int)
    if checked is None or 0 <= checked < _LIMIT:
        return checked
    kind = "a negative one" if checked < 0 else "a larger one"
    raise ProviderError(
        Reason.MALFORMED_RESPONSE, f"malformed response: expected int from 0 to 10^18 in `{name}`, got {kind}"
    )


def structure(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a member that is a structure; empty if it is missing."""
    return member(raw, name, dict) or {}


def seconds(
    raw: Mapping[str, Any], name: str, warnings: list[str] | None = None, latest: float = LATEST, owner: str = ""
) -> float | None:
    """Return a time in seconds since the epoch; append a warning about `owner` if it is impossible."""
    value = member(raw, name, int, float, str)
    if value is None:
        return None
    try:
        found = _parse_time(value) if isinstance(value, str) else float(value)
    except (ValueError, OverflowError, RuntimeError):  # botocore raises the last one for a number that is too large
        found = 0.0
    if _EARLIEST <= found < latest:
        return found
    if warnings is not None:
        warnings.append(f"{name} {value!r} of {owner} is not a time between 2000 and now")
    return None


def _parse_time(text: str) -> float:
    """Return a time that is text; raise ValueError for any other text. Without an offset it is in UTC."""
    is_iso = text[4:5] == "-"  # but not seconds since the epoch
    try:
        found = datetime.fromisoformat(text) if is_iso else _parse_unusual_time(text)
    except ValueError:
        found = _parse_unusual_time(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _parse_unusual_time(text: str) -> datetime:
    """Return a time in any of the formats that botocore knows.

    Its parser takes far longer than the standard library, and its import would delay `--help`.
    """
    from botocore.utils import parse_timestamp  # noqa: PLC0415 (see above)

    found: datetime = parse_timestamp(text)
    return found


def required_text(raw: Mapping[str, Any], name: str) -> str:
    """Return a member that is text; raise ProviderError if it is missing."""
    found = text(raw, name)
    if not found:
        raise ProviderError(Reason.MALFORMED_RESPONSE, f"malformed response: no {name}")
    return found


def parse_items(pages: Iterable[list[Any]], key: str, parse: Callable[[Mapping[str, Any]], T]) -> Listing[T]:
    """Return the items of a listing by their id. An entry without an id is skipped with a warning."""
    items, warnings, count = {}, [], 0
    for page in pages:
        count += 1
        for raw in page:
            identifier = text(raw or {}, key)
            if identifier:
                items[identifier] = parse(raw)
            else:
                warnings.append(f"entry without {key} ignored")
    return Listing(items, count, tuple(warnings))
