"""The starts of objectives. They are recorded for new and stricter objectives, and nothing else changes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from exporter.domain.objective_record import ObjectiveRecord
from exporter.domain.objective_starts import record_objectives
from exporter.domain.objectives import Objectives
from exporter.domain.units import DAY, HOUR

THEN, NOW = 1_790_000_000.0, 1_790_009_000.0
FIRST = Objectives(8 * DAY, DAY, 0.05, 1)


def starts_after(*changes: dict[str, Any]) -> dict[str, float]:
    """Return the starts after objectives were first recorded, and then changed at NOW, an hour later, and so on."""
    objectives, record = FIRST, record_objectives(None, FIRST, None, THEN)
    for number, change in enumerate(changes):
        objectives = replace(objectives, **change)
        record = record_objectives(record, objectives, None, NOW + number * HOUR)
    return dict(record.starts)


@pytest.mark.parametrize(
    ("changes", "starts"),
    [
        ([], {}),
        ([{"max_success_age": DAY}], {"max_success_age": NOW}),
        ([{"max_success_age": 9 * DAY}], {}),
        ([{"max_duration": HOUR, "max_failed_ratio": 0.01}], {"max_duration": NOW, "max_failed_ratio": NOW}),
        ([{"min_documents_scanned": 0}], {}),
        ([{"min_documents_scanned": 9}], {"min_documents_scanned": NOW}),
        ([{"expected_every": DAY}], {"expected_every": NOW}),
        ([{"max_success_age": DAY}, {"max_success_age": 2 * DAY}], {"max_success_age": NOW}),
        ([{"max_success_age": DAY}, {"max_success_age": HOUR}], {"max_success_age": NOW + HOUR}),
        ([{"max_success_age": None}, {"max_success_age": 8 * DAY}], {"max_success_age": NOW + HOUR}),
        ([{"max_success_age": DAY}, {"max_success_age": None}], {}),
    ],
)
def test_only_a_new_or_stricter_objective_starts(changes: list[dict[str, Any]], starts: dict[str, float]) -> None:
    """A less strict objective keeps the start of the previous one, and a removed one has no start."""
    assert starts_after(*changes) == starts


def test_what_follows_from_the_schedule_is_not_older_than_it() -> None:
    """Later changes do not depend on that."""
    follows = replace(FIRST, follows_schedule=True)
    assert record_objectives(None, follows, THEN, NOW).starts == {"max_success_age": THEN}
    assert record_objectives(None, FIRST, THEN, NOW).starts == {}
    known = ObjectiveRecord({"max_success_age": 8 * DAY}, {"max_success_age": THEN})
    assert record_objectives(known, follows, NOW - 1, NOW).starts["max_success_age"] == THEN
