"""The text of a problem, in the words of the data source's service."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exporter.domain.model import SourceId
from exporter.domain.source_view import SourceView
from exporter.domain.units import DAY
from exporter.providers.kendra.service import KENDRA
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.status.problems import find_problems
from tests.support.builders import NOON
from tests.support.status_fixtures import DAILY, make_snapshot

if TYPE_CHECKING:
    from exporter.domain.service import Service


@pytest.mark.parametrize(
    ("service", "text"),
    [
        (QBUSINESS, "The data source has never been synced: a schedule takes effect only after a first manual sync."),
        (KENDRA, "The data source has never been synced."),
    ],
    ids=["qbusiness", "kendra"],
)
def test_a_first_manual_sync_is_advised_where_schedules_wait_for_it(service: Service, text: str) -> None:
    """Only Amazon Q Business documents that a schedule has no effect before the first manual sync."""
    snapshot = make_snapshot(1, "new", schedule=DAILY, created=NOON - 3 * DAY)
    source = replace(snapshot.source, id=SourceId(service, snapshot.source.id.path[-len(service.levels) :]))
    view = SourceView(replace(snapshot, source=source), NOON, DAY, ())
    assert [problem.text for problem in find_problems(view)] == [text]
