"""The dashboards match Grafana's own types. The SDK that generates them validates nothing."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft7Validator

from tests.suites.grafana.rendering import HERE, MODULES
from tests.support.dashboards import FILES, load, panels

if TYPE_CHECKING:
    from collections.abc import Callable

    Validate = Callable[..., list[str]]

WITH_CUSTOM_FIELDS = ("timeseries", "table", "state-timeline")
"""Panel types whose fields have options of their own."""
PLUGIN_KEYS = {"expr", "step", "tagKeys", "textFormat", "titleFormat", "useValueForTime"}
"""Keys of an annotation that the Prometheus plugin defines, so that the schema does not have them."""
STANDARD_FIELDS = {"unit", "decimals", "mappings", "thresholds", "links", "color", "noValue"}


@pytest.fixture(scope="module")
def validate() -> Validate:
    """Return a function that validates a value against a part of Grafana's types, and returns the errors."""
    command = [
        str(MODULES / ".bin" / "ts-json-schema-generator"),
        "--no-type-check",
        "--expose",
        "none",
        "--type",
        "Schema",
    ]
    generate = [*command, "--path", "renderer/types.ts"]
    generated = subprocess.run(generate, cwd=HERE, capture_output=True, text=True, check=True)
    parts = json.loads(generated.stdout)["definitions"]["Schema"]["properties"]

    def errors(value: object, part: str, panel_type: str = "") -> list[str]:
        schema = parts[part]["properties"][panel_type] if panel_type else parts[part]
        return [f"{error.json_path}: {error.message}" for error in Draft7Validator(schema).iter_errors(value)]

    return errors


@pytest.mark.parametrize("file", FILES)
def test_a_dashboard_matches_the_type(validate: Validate, file: str) -> None:
    """The type Dashboard allows no unknown keys."""
    dashboard: dict[str, Any] = load(file)
    for annotation in dashboard.get("annotations", {}).get("list", []):
        assert annotation.keys() >= PLUGIN_KEYS
        for name in PLUGIN_KEYS:
            del annotation[name]
    assert validate(dashboard, "dashboard") == []


@pytest.mark.parametrize("file", FILES)
def test_the_options_of_panels_match_their_type(validate: Validate, file: str) -> None:
    """This includes the options of fields, and their overrides."""
    for panel in panels(file):
        panel_type, defaults = panel["type"], panel["fieldConfig"]["defaults"]
        assert validate(panel["options"], "options", panel_type) == [], panel["title"]
        if panel_type in WITH_CUSTOM_FIELDS:
            assert validate(defaults["custom"], "fields", panel_type) == [], panel["title"]
        for override in panel["fieldConfig"]["overrides"]:
            properties = {each["id"]: each["value"] for each in override["properties"]}
            custom = {name[7:]: value for name, value in properties.items() if name.startswith("custom.")}
            assert properties.keys() - STANDARD_FIELDS == {f"custom.{name}" for name in custom}, panel["title"]
            if custom:
                assert validate({**defaults["custom"], **custom}, "fields", panel_type) == [], panel["title"]


def test_invalid_dashboards_are_found(validate: Validate) -> None:
    """A value of the wrong type and an unknown key each cause an error."""
    dashboard = load("overview.json")
    dashboard["panels"][0]["gridPos"]["h"] = "4"
    assert validate(dashboard, "dashboard")
    assert validate({**load("overview.json"), "placement": "inControlsMenu"}, "dashboard")
