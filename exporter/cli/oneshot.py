"""A target for commands that run once: its provider and client, with the rate limit of the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.aws import AwsClient, is_throttled, require_profile
from exporter.aws.rate_limiter import RateLimiter
from exporter.config import DiscoveryConfig
from exporter.discovery.crawler import Crawler
from exporter.discovery.filters import SourceFilters
from exporter.domain.service import ArnScope
from exporter.errors import ProviderError
from exporter.providers.registry import make_provider
from exporter.runtime import System

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.aws.sqs_queue import SqsQueue
    from exporter.config import PollingConfig, TargetConfig
    from exporter.discovery.crawler import Found
    from exporter.discovery.failures import DiscoveryFailures


class OneShotTarget:
    """A target without polling and state. It observes its own requests, as a `RequestObserver`."""

    def __init__(self, target: TargetConfig, polling: PollingConfig) -> None:
        """Create the target; raise StartupError if it has no region, or if its profile does not exist."""
        require_profile(target)
        host = System()
        self.config = target
        self._rate_limiter = RateLimiter(polling.requests_per_second, host, host.event())
        self._client = AwsClient(target, polling, self, host)
        self.provider = make_provider(target.service, self._client)
        self.name = self._client.name
        self.account_error: ProviderError | None = None
        """Why `arn_scope` has no account; None if it has one."""
        self.region = self._client.region

    def arn_scope(self) -> ArnScope:
        """Return partition, region and account of the target. The account is `*` if STS does not return it."""
        try:
            account = self._client.account()
        except ProviderError as error:
            account, self.account_error = "*", error
        return ArnScope(self._client.partition, self.region, account)

    def crawl_all(self, failures: DiscoveryFailures) -> Iterator[Found]:
        """Yield all contents of the target, regardless of its filters."""
        return Crawler(self.config.service, self.provider, SourceFilters(DiscoveryConfig()), (), failures).crawl()

    def message_queue(self) -> SqsQueue | None:
        """Return the events queue of the target; None without one."""
        events = self.config.events
        return self._client.message_queue(events.queue_url, 0, self) if events else None

    def acquire(self, operation: str) -> None:  # noqa: ARG002 (RequestObserver names it)
        """Wait until the rate limiter allows the next request."""
        self._rate_limiter.acquire()

    def finished(self, operation: str, code: str, seconds: float, *, is_usable: bool = True) -> None:  # noqa: ARG002
        """Reduce the rate after a throttled request."""
        if is_throttled(code):
            self._rate_limiter.report_throttled()
