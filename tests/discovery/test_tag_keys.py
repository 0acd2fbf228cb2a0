"""The tags that a target uses."""

from __future__ import annotations

import pytest

from exporter.config import DiscoveryConfig
from exporter.discovery.tag_keys import TagKeys

DISCOVERY = DiscoveryConfig.model_validate({"include": [{"tags": {"stage": "*"}}], "tag_labels": ["team"]})


def test_only_used_tags_are_stored() -> None:
    """Other tags may be confidential. A tag that only a filter or an objective uses is stored, and not published."""
    keys = TagKeys.of(DISCOVERY, frozenset({"tier"}))
    used = keys.used({"team": "hr", "stage": "prod", "tier": "1", "secret": "x"})
    assert used == (("stage", "prod"), ("team", "hr"), ("tier", "1"))
    assert keys.labels(used) == (("team", "hr"),)


@pytest.mark.parametrize(
    ("discovery", "of_objectives", "needed"),
    [
        ({"include": [{"tags": {"stage": "*"}}]}, set(), False),
        ({"tag_labels": ["team"]}, set(), True),
        ({}, {"tier"}, True),
        (None, {"tier"}, True),
        (None, set(), False),
    ],
)
def test_labels_and_objectives_need_the_tags_of_all(
    discovery: dict[str, object] | None, of_objectives: set[str], *, needed: bool
) -> None:
    """A filter needs them only where its other globs match."""
    settings = None if discovery is None else DiscoveryConfig.model_validate(discovery)
    assert TagKeys.of(settings, frozenset(of_objectives)).are_needed_of_all is needed
