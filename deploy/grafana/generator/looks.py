"""What colours, words and units mean, the same on every panel."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.generator.queries import STATUSES, UNKNOWN_STATUS

NONE_YET = "none yet"
GOOD, NOTICE, BAD, WORSE, CALM, MUTED = "green", "yellow", "red", "dark-red", "blue", "#808080"
STATUS_COLOURS = {
    "SUCCEEDED": GOOD,
    "INCOMPLETE": NOTICE,
    "FAILED": BAD,
    "ABORTED": "purple",
    "SYNCING": CALM,
    "SYNCING_INDEXING": "light-blue",
    "STOPPING": "orange",
}
RESOURCE_COLOURS = {
    "ACTIVE": GOOD,
    "CREATING": CALM,
    "PENDING_CREATION": CALM,
    "UPDATING": CALM,
    "DELETING": "orange",
    "FAILED": BAD,
}
SEVERITY_COLOURS = {"critical": BAD, "warning": "orange", "info": CALM}
ALERT_STATE_COLOURS = {"firing": BAD, "pending": NOTICE}
DOCUMENT_COLOURS = {"scanned": CALM, "added": GOOD, "modified": "light-green", "deleted": "purple", "failed": BAD}


def words(colours: dict[str, str]) -> list[models.ValueMapping]:
    """Colour values that are words."""
    results = {
        word: models.ValueMappingResult(color=colour, index=index)
        for index, (word, colour) in enumerate(colours.items())
    }
    return [models.ValueMap(results), nothing(NONE_YET)]


def nothing(text: str) -> models.SpecialValueMap:
    """Say in words, and without a colour that means something, that there is no value."""
    result = models.ValueMappingResult(text=text, color=MUTED)
    return models.SpecialValueMap(models.DashboardSpecialValueMapOptions(models.SpecialValueMatch.NULL_AND_NAN, result))


def numbers(texts: dict[int, tuple[str, str]]) -> list[models.ValueMapping]:
    """Show numbers as words, each in its colour."""
    results = {
        str(number): models.ValueMappingResult(text=text, color=colour, index=index)
        for index, (number, (text, colour)) in enumerate(texts.items())
    }
    return [models.ValueMap(results)]


def status_numbers() -> list[models.ValueMapping]:
    """Show the numbers of `status_number` as the statuses they stand for."""
    texts = {number: (status, STATUS_COLOURS[status]) for number, status in enumerate(STATUSES, 1)}
    return numbers(texts | {UNKNOWN_STATUS: ("a status that is new", MUTED)})


def yes_no(yes: str, no: str) -> list[models.ValueMapping]:
    """Show 1 as what is good and 0 as what is not."""
    return numbers({1: (yes, GOOD), 0: (no, BAD)})


def without_prefix(prefix: str) -> list[models.ValueMapping]:
    """Show a name without what all of its kind begin with."""
    return [models.RegexMap(models.DashboardRegexMapOptions(f"^{prefix}(.+)$", models.ValueMappingResult(text="$1")))]


def steps(base: str, *others: tuple[float, str]) -> build.ThresholdsConfig:
    """Colour values from a base, and from each step on."""
    thresholds = [models.Threshold(None, base), *(models.Threshold(value, colour) for value, colour in others)]
    return build.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(thresholds)


def fixed(colour: str) -> build.FieldColor:
    """Colour everything alike."""
    return build.FieldColor().mode(models.FieldColorModeId.FIXED).fixed_color(colour)


def palette() -> build.FieldColor:
    """Colour each series differently."""
    return build.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC)


def shades(colour: str) -> build.FieldColor:
    """Colour each series in a shade of its own."""
    return build.FieldColor().mode(models.FieldColorModeId.SHADES).fixed_color(colour)
