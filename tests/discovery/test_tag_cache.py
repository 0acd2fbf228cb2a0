"""Tags are requested again at the interval, as far as the rate limit allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.discovery.tag_cache import TagCache
from exporter.domain.model import SourceId
from exporter.domain.service import ArnScope
from exporter.providers.bedrock.service import BEDROCK
from tests.support.builders import make_source

if TYPE_CHECKING:
    from tests.support.builders import FakeClock

SCOPE = ArnScope("aws", "us-east-1", "111122223333")
INTERVAL = 60.0  # seconds between discovery runs
REQUESTS_PER_SECOND = 1.0


class CountingProvider:
    """A provider that returns the number of the request as a tag."""

    def __init__(self) -> None:
        self.requests = 0

    def tags(self, _source: SourceId, _scope: ArnScope) -> dict[str, str]:
        """Count the request, and return its number."""
        self.requests += 1
        return {"requests": str(self.requests)}


def make_cache(provider: Any, clock: FakeClock) -> TagCache:
    """Build a cache with a low rate limit."""
    return TagCache(provider, clock, INTERVAL, REQUESTS_PER_SECOND)


def test_refreshing_tags_uses_at_most_a_tenth_of_the_rate_limit(clock: FakeClock) -> None:
    """100 sources at one request per second are refreshed every 1,000 seconds, and not every 60."""
    provider, sources = CountingProvider(), [make_source(number).id for number in range(100)]
    cache = make_cache(provider, clock)

    def run_for(seconds: float) -> int:
        before, end = provider.requests, clock.now + seconds
        while clock.now < end:
            clock.advance(INTERVAL)
            for source in sources:
                cache.get(source, SCOPE, None)
        return provider.requests - before

    run_for(1200)  # the first run fills the cache
    assert 0 < run_for(12_000) <= 12_000 * REQUESTS_PER_SECOND / 10


def test_the_tags_of_a_few_sources_are_refreshed_in_each_run(clock: FakeClock) -> None:
    """A run that starts a little early refreshes them too."""
    provider, source = CountingProvider(), make_source().id
    cache = make_cache(provider, clock)
    cache.get(source, SCOPE, None)
    clock.advance(0.95 * INTERVAL)
    assert cache.get(source, SCOPE, None) == {"requests": "2"}


def test_the_tags_of_an_updated_source_are_requested_at_once(clock: FakeClock) -> None:
    """The update may have changed them."""
    provider, source = CountingProvider(), make_source().id
    cache = make_cache(provider, clock)
    assert cache.get(source, SCOPE, 1.0) == cache.get(source, SCOPE, 1.0) == {"requests": "1"}
    assert cache.get(source, SCOPE, 2.0) == {"requests": "2"}


def test_tags_of_a_container_are_requested_once_for_all_of_its_sources(clock: FakeClock) -> None:
    """Data sources of Bedrock have no tags."""
    provider = CountingProvider()
    cache, sources = make_cache(provider, clock), [SourceId(BEDROCK, ("A" * 10, name * 10)) for name in "BCD"]
    tags = [cache.get(source, SCOPE, version) for version, source in enumerate(sources, 1)]
    assert tags == [{"requests": "1"}] * 3
    assert cache.get(SourceId(BEDROCK, ("E" * 10, "B" * 10)), SCOPE, None) == {"requests": "2"}


def test_expired_tags_are_still_the_last_known_ones(clock: FakeClock) -> None:
    """A failed request leaves the labels as they are. The tags of a removed source are not kept."""
    provider, source = CountingProvider(), make_source().id
    cache = make_cache(provider, clock)
    assert cache.last_known(source) is None
    cache.get(source, SCOPE, None)
    clock.advance(100 * INTERVAL)
    successor = make_cache(provider, clock)
    successor.adopt(cache)
    assert successor.last_known(source) == {"requests": "1"}
    successor.remove(source)
    assert successor.last_known(source) is None
