r"""The failure reasons of an ingestion job: texts without codes, which name files and buckets.

AWS returns up to 2,048 texts of up to 2,048 characters. A text is often itself a JSON array of texts: `"[\"Encountered
error: Ignored 3 files …\"]"`. The texts are for logs and pages. The value of the label is one of a few kinds, which are
recognized by the form of the texts.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

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


def parse_reasons(raw: Mapping[str, Any], owner: str, warnings: list[str]) -> tuple[str, ...]:
    """Return the texts of a job's `failureReasons`. A reason of another type is used as JSON.

    AWS has reported a reason then too, so the job did not succeed. Append a warning about `owner`.
    """
    reasons = raw.get("failureReasons")
    if reasons is not None and not isinstance(reasons, list):
        warnings.append(f"{owner}: expected list in `failureReasons`, got {type(reasons).__name__}")
        reasons = [reasons]
    others = {type(reason).__name__ for reason in reasons or () if not isinstance(reason, str | None)}
    if others:
        warnings.append(f"{owner}: expected str in `failureReasons`, got {', '.join(sorted(others))}")
    texts = (reason if isinstance(reason, str | None) else json.dumps(reason) for reason in reasons or ())
    return tuple(text for reason in texts for text in _texts(reason))


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
