"""The tags of data sources, cached because each tagged resource needs its own request.

In some services, data sources have no tags. The tags of their container apply to all of them, and are requested once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.domain.service import Use

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.domain.model import SourceId
    from exporter.domain.service import ArnScope
    from exporter.providers import Provider
    from exporter.runtime import Clock

REQUEST_SHARE = 0.1  # the largest share of the rate limit that refreshing tags uses


@dataclass(frozen=True, slots=True)
class _CachedTags:
    tags: Mapping[str, str]
    version: float | None
    expires_at: float


class TagCache:
    """Caches tags until their source is updated, or an interval that respects the rate limit has passed."""

    def __init__(self, provider: Provider, clock: Clock, interval: float, requests_per_second: float) -> None:
        self._provider = provider
        self._clock = clock
        self._interval = interval
        self._rate = requests_per_second * REQUEST_SHARE
        self._cached: dict[tuple[str, ...], _CachedTags] = {}

    def adopt(self, before: TagCache) -> None:
        """Add the entries of another cache."""
        self._cached |= before._cached

    def get(self, source: SourceId, scope: ArnScope, version: float | None) -> Mapping[str, str]:
        """Return the tags of a source that was updated at `version`; raise ProviderError if a request fails."""
        now, tagged = self._clock.monotonic(), _tagged(source)
        if tagged != source.path:
            version = None  # these are the tags of the container, which an update of the source does not change
        cached = self._cached.get(tagged)
        if cached and cached.version == version and now < cached.expires_at:
            return cached.tags
        tags = self._provider.tags(source, scope)
        # This is shorter than the interval. Otherwise a run that starts a little early would use the tags for another
        # interval.
        lifetime = max(0.9 * self._interval, len(self._cached) / self._rate)
        self._cached[tagged] = _CachedTags(tags, version, now + lifetime)
        return tags

    def last_known(self, source: SourceId) -> Mapping[str, str] | None:
        """Return the tags of the last successful request, even if they have expired."""
        cached = self._cached.get(_tagged(source))
        return cached.tags if cached else None

    def remove(self, source: SourceId) -> None:
        """Remove the tags of a source."""
        self._cached.pop(_tagged(source), None)


def _tagged(source: SourceId) -> tuple[str, ...]:
    """Return the ids of the resource that has the tags of a source: the source or its container."""
    return source.path[: source.service.depth(Use.TAGS)]
