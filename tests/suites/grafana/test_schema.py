"""Dashboards held against Grafana's own types: the SDK that makes them validates nothing."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft7Validator

from tests.suites.grafana.drawing import HERE, MODULES
from tests.support.dashboards import FILES, load, panels

if TYPE_CHECKING:
    from collections.abc import Callable

    Wrong = Callable[[object, str, str], list[str]]

HAVE_FIELDS = ("timeseries", "table", "state-timeline")
"""Kinds of panels whose fields have options of their own."""
OF_PROMETHEUS = {"expr", "step", "tagKeys", "textFormat", "titleFormat", "useValueForTime"}
"""What the Prometheus plugin reads of an annotation: the plugin's own, which the schema knows nothing of."""
OF_FIELDS = {"unit", "decimals", "mappings", "thresholds", "links", "color", "noValue"}


@pytest.fixture(scope="module")
def wrong() -> Wrong:
    """Hold a value against a part of a type, and say what is wrong and where."""
    command = [
        str(MODULES / ".bin" / "ts-json-schema-generator"),
        "--no-type-check",
        "--expose",
        "none",
        "--type",
        "Held",
    ]
    made = subprocess.run([*command, "--path", "draw/types.ts"], cwd=HERE, capture_output=True, text=True, check=True)
    held = json.loads(made.stdout)["definitions"]["Held"]["properties"]

    def hold(value: object, part: str, kind: str = "") -> list[str]:
        schema = held[part]["properties"][kind] if kind else held[part]
        return [f"{error.json_path}: {error.message}" for error in Draft7Validator(schema).iter_errors(value)]

    return hold


@pytest.mark.parametrize("file", FILES)
def test_a_dashboard_is_one(wrong: Wrong, file: str) -> None:
    """By the type Dashboard, which has no room for unknown keys."""
    board: dict[str, Any] = load(file)
    for annotation in board.get("annotations", {}).get("list", []):
        assert annotation.keys() >= OF_PROMETHEUS
        for name in OF_PROMETHEUS:
            del annotation[name]
    assert wrong(board, "dashboard", "") == []


@pytest.mark.parametrize("file", FILES)
def test_panels_have_options_that_their_kind_knows(wrong: Wrong, file: str) -> None:
    """Options, those of fields, and those that single fields have instead."""
    for panel in panels(file):
        kind, defaults = panel["type"], panel["fieldConfig"]["defaults"]
        assert wrong(panel["options"], "options", kind) == [], panel["title"]
        if kind in HAVE_FIELDS:
            assert wrong(defaults["custom"], "fields", kind) == [], panel["title"]
        for override in panel["fieldConfig"]["overrides"]:
            given = {one["id"]: one["value"] for one in override["properties"]}
            custom = {name[7:]: value for name, value in given.items() if name.startswith("custom.")}
            assert given.keys() - OF_FIELDS == {f"custom.{name}" for name in custom}, panel["title"]
            if custom:
                assert wrong({**defaults["custom"], **custom}, "fields", kind) == [], panel["title"]


def test_what_is_wrong_would_be_told(wrong: Wrong) -> None:
    """An unknown key, and a value of the wrong type, are found."""
    board = load("overview.json")
    board["panels"][0]["gridPos"]["h"] = "4"
    assert wrong(board, "dashboard", "")
    assert wrong({**load("overview.json"), "placement": "inControlsMenu"}, "dashboard", "")
