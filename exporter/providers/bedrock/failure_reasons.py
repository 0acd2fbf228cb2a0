r"""The failure reasons of an ingestion job: texts without codes, which name files and buckets.

AWS returns up to 2,048 texts of up to 2,048 characters. A text is often itself a JSON array of texts: `"[\"Encountered
error: Ignored 3 files …\"]"`. The texts are for logs and pages. The value of the label is one of a few kinds, which are
recognized by the form of the texts.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from exporter.providers.members import member

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_MESSAGE = 2000  # characters of a message; all reasons of one job could have four million
# The first kind that matches any of the reasons is used. Without a match, the kind is `other`.
_KINDS = (
    ("NotAuthorized", re.compile(r"not authorized|access ?denied|forbidden", re.IGNORECASE)),
    ("MetadataIgnored", re.compile(r"ignored\b.*\bmetadata", re.IGNORECASE | re.DOTALL)),
    ("NotCrawled", re.compile(r"could not be crawled", re.IGNORECASE)),
)
_OTHER = "other"


def parse_reasons(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the texts of a job's `failureReasons`; raise ProviderError if they are not a list of texts."""
    reasons = member(raw, "failureReasons", list) or []
    return tuple(
        text for reason in reasons for text in _texts(member({"failureReasons": reason}, "failureReasons", str))
    )


def kind_of(reasons: Iterable[str]) -> str:
    """Return the kind of the reasons, from a set of limited size; empty without reasons."""
    joined = "\n".join(reasons)
    found = next((kind for kind, pattern in _KINDS if pattern.search(joined)), _OTHER)
    return found if joined else ""


def message_of(reasons: tuple[str, ...]) -> str:
    """Return all reasons as one text, shortened to MAX_MESSAGE characters."""
    joined = "; ".join(reasons)
    if len(joined) <= MAX_MESSAGE:
        return joined
    return f"{joined[:MAX_MESSAGE]}… ({len(reasons)} reasons)"


def _texts(reason: str | None) -> Iterator[str]:
    """Yield the texts in a reason: the entries of a JSON array of texts, else the reason itself."""
    try:
        entries = json.loads(reason or "")
    except (ValueError, RecursionError):
        entries = None
    if isinstance(entries, list) and all(isinstance(entry, str) for entry in entries):
        yield from (_encodable(entry) for entry in entries if entry)
    elif reason:
        yield _encodable(reason)


def _encodable(text: str) -> str:
    """Return a text without lone surrogates, which JSON may contain."""
    return text.encode("utf-8", "replace").decode("utf-8")
