"""Digests of configurations, which differ if and only if replicas would poll or expose something else."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from exporter.config import parse, target_digest

TARGET = {"name": "production", "region": "us-east-1", "discovery": {"include": [{"tags": {"team": "hr"}}]}}
BASE: dict[str, Any] = {
    "targets": [TARGET],
    "polling": {"interval": "1m", "window": "1d"},
    "objectives": [{"match": {"tags": {"team": "hr", "stage": "live"}}, "max_duration": "2h"}],
}


def digest(config: dict[str, Any]) -> str:
    """Return the digest of the first target of a configuration."""
    loaded = parse(yaml.safe_dump(config, sort_keys=False), "").config
    return target_digest(loaded, loaded.targets[0])


@pytest.mark.parametrize(
    "change",
    [
        {"state": {"url": "postgresql://other@db.internal/exporter", "password_file": "/other"}},
        {"polling": {"window": "24h", "interval": "60s"}},
        {"objectives": [{"max_duration": "120m", "match": {"tags": {"stage": "live", "team": "hr"}}}]},
        {"targets": [dict(reversed(TARGET.items())), {"region": "eu-west-1"}]},
    ],
)
def test_it_ignores_the_notation_the_state_and_other_targets(change: dict[str, Any]) -> None:
    """Replicas on different hosts have different addresses and files."""
    assert digest({**BASE, **change}) == digest(BASE)


@pytest.mark.parametrize(
    "change",
    [
        {"targets": [{**TARGET, "discovery": {"include": [{"tags": {"team": "it"}}]}}]},
        {"targets": [{**TARGET, "role_arn": "arn:aws:iam::111122223333:role/other"}]},
        {"targets": [{**TARGET, "name": "other"}]},
        {"polling": {"interval": "2m", "window": "1d"}},
        {"objectives": []},
        {"metrics": {"exclude": ["qbusiness_index_*"]}},
        {"documents": {"interval": "1h"}},
    ],
)
def test_it_changes_with_every_setting(change: dict[str, Any]) -> None:
    """The settings of the target, and those that all targets share."""
    assert digest({**BASE, **change}) != digest(BASE)
