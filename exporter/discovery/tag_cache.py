"""Tags of data sources: one request each, so they are asked for no oftener than the request budget bears."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.domain.model import SourceId
    from exporter.providers import Provider
    from exporter.runtime import Clock

SHARE = 0.1  # of the request budget, at most, goes into asking anew


@dataclass(frozen=True, slots=True)
class _Kept:
    tags: Mapping[str, str]
    version: float | None
    until: float


class TagCache:
    """The tags of one target's data sources, kept until the source is updated or a time is over."""

    def __init__(self, provider: Provider, clock: Clock, interval: float, requests_per_second: float) -> None:
        self._provider = provider
        self._clock = clock
        self._interval = interval
        self._rate = requests_per_second * SHARE
        self._kept: dict[SourceId, _Kept] = {}

    def adopt(self, before: TagCache) -> None:
        """Go on with what is known already."""
        self._kept = dict(before._kept)

    def of(self, source: SourceId, arn: str, version: float | None) -> Mapping[str, str]:
        """Give a source's tags; `version` is its updatedAt. Raises ProviderError."""
        now = self._clock.monotonic()
        kept = self._kept.get(source)
        if kept and kept.version == version and now < kept.until:
            return kept.tags
        tags = self._provider.tags(arn)
        # A little less than the interval: a round that begins a moment early asks anew all the same.
        period = max(0.9 * self._interval, len(self._kept) / self._rate)
        self._kept[source] = _Kept(tags, version, now + period)
        return tags

    def last(self, source: SourceId) -> Mapping[str, str] | None:
        """Give the tags that a source was last known to have."""
        kept = self._kept.get(source)
        return kept.tags if kept else None

    def forget(self, source: SourceId) -> None:
        """Let go of a source."""
        self._kept.pop(source, None)
