"""Digests of what a configuration says, by which replicas find out that their configurations differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from exporter.config.section import Section

if TYPE_CHECKING:
    from exporter.config.models import Config
    from exporter.config.targets import TargetConfig

LENGTH = 16  # hexadecimal digits
_OWN = {"targets", "state"}  # the section of each target has a digest; the place of the state is that of a replica


def target_digest(config: Config, target: TargetConfig) -> str:
    """Return a digest of the settings that affect a target.

    It has only what the file sets, so that it does not depend on the defaults of a release. The order of keys, and
    other notations of the same value, make no difference.
    """
    common = {name: value for name, value in _set_values(config).items() if name not in _OWN}
    text = json.dumps([common, _plain(target)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def _plain(value: object) -> object:
    """Return a value in the types of JSON."""
    if isinstance(value, Section):
        return _set_values(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    return value


def _set_values(section: Section) -> dict[str, object]:
    return {name: _plain(value) for name, value in section if name in section.model_fields_set}
