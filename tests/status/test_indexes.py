"""An index in the JSON API, in the words and by the statuses of its service."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.domain.model import ContainerId
from exporter.providers.kendra.service import KENDRA
from exporter.status.indexes import index_to_json
from tests.support.status_fixtures import make_container_snapshot


@pytest.mark.parametrize(
    ("status", "state"), [("ACTIVE", "ok"), ("SYSTEM_UPDATING", "ok"), ("UPDATING", "warning"), ("NEW", "warning")]
)
def test_maintenance_by_aws_is_no_problem(status: str, state: str) -> None:
    """An index of Kendra can be SYSTEM_UPDATING for hours, and is still synced."""
    snapshot = make_container_snapshot(status=status)
    found = index_to_json(replace(snapshot, id=ContainerId(KENDRA, ("idx1",))))
    assert (found["index"], found["index_id"], found["state"]) == ("main", "idx1", state)
    assert "application" not in found
