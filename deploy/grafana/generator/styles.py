"""Colours, value mappings and thresholds, which have the same meaning on every panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.generator.queries import STATUSES, UNKNOWN_STATUS

if TYPE_CHECKING:
    from collections.abc import Iterable

NONE_YET = "none yet"
GOOD, NOTICE, BAD, NEUTRAL, MUTED = "green", "yellow", "red", "blue", "#808080"
STATUS_COLOURS = {
    "SUCCEEDED": GOOD,
    "INCOMPLETE": NOTICE,
    "FAILED": BAD,
    "ABORTED": "purple",
    "SYNCING": NEUTRAL,
    "SYNCING_INDEXING": "light-blue",
    "STOPPING": "orange",
}
RESOURCE_COLOURS = {
    "ACTIVE": GOOD,
    "AVAILABLE": GOOD,
    "SYSTEM_UPDATING": NEUTRAL,
    "CREATING": NEUTRAL,
    "PENDING_CREATION": NEUTRAL,
    "UPDATING": NEUTRAL,
    "DELETING": "orange",
    "FAILED": BAD,
    "DELETE_UNSUCCESSFUL": BAD,
    "UPDATE_UNSUCCESSFUL": BAD,
}
SEVERITY_COLOURS = {"critical": BAD, "warning": "orange", "info": NEUTRAL}
ALERT_STATE_COLOURS = {"firing": BAD, "pending": NOTICE}
DOCUMENT_COLOURS = {
    "scanned": NEUTRAL,
    "added": GOOD,
    "modified": "light-green",
    "deleted": "purple",
    "failed": BAD,
    "skipped": "orange",
}


def document_colours(kinds: Iterable[str]) -> dict[str, str]:
    """Return the colours of counts of documents by their kind."""
    return {kind: DOCUMENT_COLOURS[kind] for kind in kinds}


def text_mappings(colours: dict[str, str]) -> list[models.ValueMapping]:
    """Return mappings that colour text values."""
    results = {
        text: models.ValueMappingResult(color=colour, index=index)
        for index, (text, colour) in enumerate(colours.items())
    }
    return [models.ValueMap(results), null_mapping(NONE_YET)]


def null_mapping(text: str) -> models.SpecialValueMap:
    """Return a mapping of missing values to a text in a muted colour."""
    result = models.ValueMappingResult(text=text, color=MUTED)
    return models.SpecialValueMap(models.DashboardSpecialValueMapOptions(models.SpecialValueMatch.NULL_AND_NAN, result))


def number_mappings(texts: dict[int, tuple[str, str]]) -> list[models.ValueMapping]:
    """Return mappings of numbers to text and colour."""
    results = {
        str(number): models.ValueMappingResult(text=text, color=colour, index=index)
        for index, (number, (text, colour)) in enumerate(texts.items())
    }
    return [models.ValueMap(results)]


def status_number_mappings() -> list[models.ValueMapping]:
    """Return mappings of the numbers from `queries.status_number` to statuses."""
    texts = {number: (status, STATUS_COLOURS[status]) for number, status in enumerate(STATUSES, 1)}
    return number_mappings(texts | {UNKNOWN_STATUS: ("unknown status", MUTED)})


def boolean_mappings(true: str, false: str) -> list[models.ValueMapping]:
    """Return mappings of 1 to a good and 0 to a bad text."""
    return number_mappings({1: (true, GOOD), 0: (false, BAD)})


def remove_prefixes(prefixes: Iterable[str]) -> list[models.ValueMapping]:
    """Return mappings that remove a prefix."""
    result = models.ValueMappingResult(text="$1")
    return [models.RegexMap(models.DashboardRegexMapOptions(f"^{prefix}(.+)$", result)) for prefix in prefixes]


def thresholds(base: str, *steps: tuple[float, str]) -> build.ThresholdsConfig:
    """Return a base colour and the colour from each value on."""
    found = [models.Threshold(None, base), *(models.Threshold(value, colour) for value, colour in steps)]
    return build.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(found)


def fixed(colour: str) -> build.FieldColor:
    """Return a colour scheme with one colour."""
    return build.FieldColor().mode(models.FieldColorModeId.FIXED).fixed_color(colour)


def palette() -> build.FieldColor:
    """Return a colour scheme with a different colour for each series."""
    return build.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC)


def shades(colour: str) -> build.FieldColor:
    """Return a colour scheme with a different shade of one colour for each series."""
    return build.FieldColor().mode(models.FieldColorModeId.SHADES).fixed_color(colour)
