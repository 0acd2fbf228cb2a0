"""Content negotiation: format and encoding of a response, by quality (RFC 9110, 12.5)."""

from __future__ import annotations

from exporter.exposition.formats import OPENMETRICS, TEXT, Format

OPENMETRICS_TYPE = "application/openmetrics-text"
_OPENMETRICS_VERSIONS = ("", ";version=1.0.0", ";version=0.0.1")  # versions that a response in 1.0.0 satisfies


def preferred_format(accept: str) -> Format:
    """Return the format that an Accept header prefers; text if it states no preference."""
    qualities = _qualities(accept)
    openmetrics = max(qualities.get(OPENMETRICS_TYPE + version, 0.0) for version in _OPENMETRICS_VERSIONS)
    return OPENMETRICS if openmetrics > 0 and openmetrics >= qualities.get("text/plain", 0.0) else TEXT


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether an Accept-Encoding header allows gzip."""
    return _qualities(accept_encoding).get("gzip", 0.0) > 0


def _qualities(header: str) -> dict[str, float]:
    """Parse a header of alternatives (RFC 9110, 12.4.2), and return the best quality of each type and version."""
    qualities: dict[str, float] = {}
    for alternative in header.lower().split(","):
        name, *parameters = (part.strip() for part in alternative.split(";"))
        settings = dict(part.split("=", 1) for part in parameters if "=" in part)
        version = settings.get("version", "").strip('"') if name == OPENMETRICS_TYPE else None
        key = f"{name};version={version}" if version else name
        qualities[key] = max(qualities.get(key, 0.0), _quality(settings.get("q", "1")))
    return qualities


def _quality(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0
